"""What a pattern cannot know: names that are written like code, and what makes a word technical.

Owns lists and nothing else.
"""

from __future__ import annotations

from typing import Final


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


NAMES: Final = _set("""
    CoreAudio JupyterLab MySQL NoSQL PipeWire PulseAudio SQLAlchemy SQLite VoXtream WebSocket
    AdSense AirBnB AirDrop AirPlay AirPods AirTag AliExpress AltaVista AlphaGo AlphaFold
    AlphaZero AppImage AppleScript AutoCAD BahnCard BibTeX BioNTech BitTorrent BitLocker
    BlackBerry BlueSky BlackRock BuzzFeed CapCut CentOS ChatGPT ChromeOS CinemaScope CityLink
    ClickHouse CloudFlare CoffeeScript CommonMark ConTeXt CrowdStrike DaVinci DeepL DeepMind
    DeepSeek DoorDash DreamWorks DuckDuckGo DynamoDB eBay EasyJet EcoFlow FaceTime FastAPI FedEx
    FileMaker FinTech FireWire FreeBSD GameBoy GitHub GitLab GoPro GoDaddy GraphQL GrubHub
    HarperCollins HashiCorp HealthKit HomeKit HomePod HubSpot HuffPost HyperCard iPhone iPad
    JavaScript JetBlue JetBrains JobCenter JournalPosten JSTOR KitKat LaTeX LeBron LeetCode
    LegalZoom LibreOffice LinkedIn LiveJournal MacBook MapReduce MariaDB MasterCard MathML
    MediaTek MediaWiki MetaMask MoMA MobileMe MongoDB mmHg MySpace NetBSD NetWare NordVPN NumPy
    NaN OkCupid OnlyFans OneDrive OneNote OpenAI OpenBSD OpenCL OpenCV OpenGL OpenOffice OpenSSL
    OpenSSH OpenStack OpenStreetMap PayPal PageRank PeopleSoft PhD PhDs PlayStation
    PostScript PostgreSQL PowerBook PowerPC PowerPoint PowerShell PricewaterhouseCoopers
    ProQuest ProtonMail PyPI PyPy PyTorch QuickBooks QuickTime ReactOS ReadMe ResearchGate
    RoboCop SciPy SharePoint ShareX SketchUp SmackDown SnapChat SoHo SolarCity SolarWinds
    SoundCloud SpaceX SparkNotes StarCraft StackOverflow SteamOS StudiVZ SurveyMonkey TechCrunch
    TeamViewer TensorFlow ThinkPad TikTok TripAdvisor TrueType TypeScript UberEats UniCredit
    UnitedHealth UniProt VirtualBox VMware WallStreet WatchOS WebAssembly WebGL WeChat WhatsApp
    WiFi WikiLeaks WikiData WinRAR WordPress WordPerfect WrestleMania XQuery YouGov YouTube
    YouTuber YouTubers ZipCar eBook openSUSE deviantArt arXiv bioRxiv medRxiv macOS tvOS watchOS
    iPadOS visionOS webOS harmonyOS chromeOS postmarketOS elementaryOS youTube whatsApp
""")
"""Names that people write so: they are said as they stand."""

NAME_BEGINNINGS: Final = (
    "Mc", "Mac", "Fitz", "Van", "Von", "De", "Del", "Della", "Des", "Di", "Du", "La", "Le", "Lo",
    "San", "Saint", "O", "D", "Al", "El", "Ben", "Bin", "Ter", "Ten",
)  # fmt: skip
"""What family names begin with: McDonald, FitzGerald, DeVito, LeBron."""

PRODUCTS: Final = _set("""
    alembic android apache babel bash bluetooth cargo chromium clang claude cmake composer conda
    css cuda cudnn curl cython debian delphi deno django docker dotnet elasticsearch elixir
    emacs erlang fastapi fedora ffmpeg firefox fortran freebsd gcc gemini gemma gimp git glibc
    gnome golang gpt gradle grafana grpc hadoop haskell hibernate html http https huey icu ios
    ipados java javascript jdk jenkins jquery jre jupyter kafka kde keras kernel kotlin
    kubernetes laravel libreoffice linux llama llvm lua macos mariadb matlab maven mesa mistral
    mongodb mypy mysql nginx ninja nixos node.js nodejs npm numpy nvidia opencv opengl openssh
    openssl pandas perl php pip pnpm podman postgres postgresql powershell prometheus pydantic
    pytest python pytorch qt redis release rhel ros ruff scala scipy selenium sqlite ssl
    svelte symfony systemd tailwind tensorflow terraform tls tomcat torch transformers
    typescript ubuntu usb uvicorn version versione versión versão vim vite vue vulkan wayland
    webpack wordpress xcode xen yarn zig zlib zsh
""")
"""What a version follows, in lower case: "Python 3.11"."""

PRODUCTS_IN_CAPITALS: Final = _set("""
    Angular Ansible Blender Bootstrap Bun Chrome Dart Edge Electron Elm Express Flask Flutter Go
    Helm Julia Node Oracle Poetry Rails React Ruby Rust Safari Samba Spark Spring Swift Unicode
    Unity Vault Windows Wine
""")
"""Those that are words in lower case: "Go 1.22"."""

EXTENSIONS: Final = _set("""
    3gp 7z aac apk asm avi avif awk bak bash bat bib bin bmp bz2 c cc cer cfg cmake cmd conf cpp
    crt cs css csv cxx dart dat db deb diff dll dmg doc docx dylib eml env eps epub ex exe exs
    fish flac flv fs ggml gguf gif go gpx gradle graphql gz h hpp hs htm html ico ics idx ini
    ipynb iso jar jav java jpeg jpg js json jsonl jsx kt kts lisp lock log lua m m4a m4v mat md
    mdx mk mkv ml mm mov mp3 mp4 mpeg mpg msg msi nim nix npy npz o obj odp ods odt ogg onnx
    opus parquet patch pdf pem php pid pl pm png po ppt pptx proto ps ps1 psd pt pth py pyc pyd
    pyi pyx r rar rb rc rs rst rtf safetensors sass scala scss sh so sock sql sqlite srt stl
    svelte svg swift tar tcl tex tf tgz tiff tif tmp toml tpl ts tsv tsx ttf txt vb vim vue war
    wasm wav webm webmanifest webp whl wma wmv woff woff2 xls xlsx xml xsd xsl xz yaml yml zig
    zip zsh zst
""")

FOLDERS: Final = _set("""
    api app assets bench bin build cmake config contrib dev dist doc docs etc examples home
    include lib lib64 locale media mnt modules node_modules opt packages pkg plugins proc public
    resources root scripts sdk share shared site-packages spec src static sys templates test
    tests tmp tools usr utils var vendor work
""")
"""With which of these a path begins even if no file of a known kind ends it: "src/components"."""

DOMAINS: Final = _set("""
    com org net edu gov mil int io dev app ai co info biz me tv ly gg xyz eu uk de fr es it pt
    br at ch us ca au nz jp cn kr in nl be pl se no dk fi ie ru ua cz gr tr mx ar cl cat online
    site shop blog cloud tech page art fm to sh example test local localhost internal lan
""")

MODULES: Final = _set("""
    app argparse array asyncio axios cls collections console context datetime df django document
    fs functools http itertools jax json keras logger logging math module np numpy object os
    pandas path pathlib pd plt process random re react req request requests res response self
    shutil sklearn socket string struct subprocess sys tf this threading time torch typing
    urllib window
""")
"""What stands before the dot of a name in code: "os.path"."""

ACRONYMS: Final = _set("""
    AI API APP APT AST AWS BOM CDN CI CLI CPU CSS CSV DB DDL DNS DOM DPI EOF EOL FIFO FPS FTP
    GCP GPU GUI HDMI HTML HTTP HTTPS ID IDE IDS IO IP IPC ISO JDK JPEG JSON JWT KV LAN LDAP LED
    LLM MAC ML MQTT NFS NFC NLP OCR OS OTP PCM PDF PID PNG QA RGB RPC SDK SHA SHM SMTP SQL SSH
    SSL SVG TCP TLS TTL TTS TTY UDP UI UID URI URL URLS USB UTC UTF UUID UX VM VPN WAV WS XML
    XSS YAML ZIP
""")
"""Parts of an ALL_CAPS name that stay in capitals."""
