"""The warm pool: what stays, what goes, and that its memory is back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from vox.backends.base import Settings, Utterance
from vox.errors import HostCrashed, LoadFailed, OutOfMemory
from vox.hosts.handle import Handle
from vox.hosts.memory import Needs
from vox.hosts.pool import HEADROOM_MB, Pool, model_key

from .conftest import StartHost

NO_PROGRESS: Callable[[str, float | None], None] = lambda _text, _fraction: None  # noqa: E731


class Machine:
    """How much memory there is; what is used depends on the hosts that are up."""

    def __init__(self) -> None:
        self.free_mb: float | None = None
        self.per_host_mb = 0.0
        self.pool: Pool | None = None

    def __call__(self, device: str) -> tuple[float | None, float | None]:
        if self.free_mb is None or self.pool is None:
            return None, None
        return self.free_mb - self.per_host_mb * len(self.pool.describe()), None


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def needs(tmp_path: Path) -> Needs:
    return Needs(str(tmp_path / "cache" / "memory.json"))


@pytest.fixture
def installed() -> dict[str, int]:
    """When the backends were installed."""
    return {}


@pytest.fixture
def pool(
    start: StartHost, machine: Machine, needs: Needs, installed: dict[str, int]
) -> Iterator[Pool]:
    def launch(name: str, settings: Settings) -> Handle:
        then = installed.get(name)
        return start(settings.model, name=name, is_current=lambda: installed.get(name) == then)

    made = Pool(launch, needs, free_memory=machine)
    machine.pool = made
    yield made
    made.close()


@pytest.fixture
def use(pool: Pool, settings: Settings) -> Callable[..., Handle]:
    """Acquire and release a host, as a job does."""

    def use(name: str, model: str | None = None, style: str | None = None) -> Handle:
        chosen = Settings(settings.voices_dir, settings.env_dir, model=model)
        host = pool.acquire(name, chosen, NO_PROGRESS, Utterance("", style=style))
        pool.release(host)
        return host

    return use


Use = Callable[..., Handle]


def names(pool: Pool) -> list[str]:
    return [model["backend"] for model in pool.describe()]


def test_a_warm_model_is_used_again(pool: Pool, use: Use) -> None:
    first = use("a")
    assert use("a") is first
    assert use("b") is not first
    assert sorted(names(pool)) == ["a", "b"]
    assert first.jobs == 2


def test_a_dead_host_is_replaced(pool: Pool, use: Use) -> None:
    first = use("a")
    first.kill()
    second = use("a")
    assert second is not first and second.is_alive
    assert names(pool) == ["a"]


def test_what_was_removed_or_installed_anew_is_not_used_any_more(
    pool: Pool, use: Use, settings: Settings, installed: dict[str, int]
) -> None:
    installed.update(a=1, b=1)
    first = use("a")
    assert use("a") is first
    installed["a"] = 2
    assert use("a") is not first and not first.is_alive
    pool.keep = ("a",)
    busy = pool.acquire("b", settings, NO_PROGRESS)
    installed.clear()
    assert pool.unload_due() == ["a"]
    assert busy.is_alive
    pool.release(busy)
    assert pool.unload_due() == ["b"]


def test_idle_models_are_unloaded_and_their_memory_is_back(pool: Pool, use: Use) -> None:
    process = psutil.Process(use("a").pid)
    pool.keep_alive_s = 3600
    assert pool.unload_due() == []
    assert process.is_running()
    pool.keep_alive_s = 0
    assert pool.unload_due() == ["a"]
    assert not process.is_running()
    assert names(pool) == []


def test_a_busy_model_and_a_pinned_one_are_not_unloaded(
    pool: Pool, use: Use, settings: Settings
) -> None:
    use("pinned")
    pool.keep, pool.keep_alive_s = ("pinned",), 0
    busy = pool.acquire("busy", settings, NO_PROGRESS)
    assert pool.unload_due() == []
    pool.release(busy)
    assert pool.unload_due() == ["busy"]


def test_room_is_made_by_unloading_the_least_recently_used(
    pool: Pool, use: Use, machine: Machine, needs: Needs, settings: Settings
) -> None:
    for name in ("old", "older", "new"):
        use(name)
    use("old")
    machine.free_mb, machine.per_host_mb = 3000 + HEADROOM_MB, 1000
    needs.put(model_key("big", settings), ram_mb=1500, vram_mb=None)
    use("big")
    assert sorted(names(pool)) == ["big", "old"]


def test_a_model_that_fits_evicts_nobody(
    pool: Pool, use: Use, machine: Machine, needs: Needs, settings: Settings
) -> None:
    use("a")
    machine.free_mb = 100_000
    needs.put(model_key("big", settings), ram_mb=1500, vram_mb=None)
    use("big")
    assert sorted(names(pool)) == ["a", "big"]


def test_out_of_memory_unloads_all_others_and_tries_once_more(
    pool: Pool, use: Use, scripted_dir: Path
) -> None:
    use("a")
    with pytest.raises(OutOfMemory):
        use("big", model="load-oom")
    assert names(pool) == []
    loads = (scripted_dir / "loads").read_text().splitlines()
    assert [line.split()[1] for line in loads] == ["plain", "load-oom", "load-oom"]


def test_a_model_that_does_not_load_leaves_the_others_warm(pool: Pool, use: Use) -> None:
    use("a")
    with pytest.raises(LoadFailed):
        use("broken", model="load-fail")
    assert names(pool) == ["a"]


def test_what_a_request_needs_besides_is_loaded_on_the_warm_host(
    pool: Pool, use: Use, settings: Settings
) -> None:
    first, steps = use("a"), list[str]()

    def on_progress(text: str, _fraction: float | None) -> None:
        steps.append(text)

    wish = Utterance("", style="load-slow:0")
    assert pool.acquire("a", settings, on_progress, wish) is first
    assert (steps, first.model) == (["loading load-slow:0"], "plain, load-slow:0")
    pool.release(first)


def test_a_request_whose_weights_do_not_load_leaves_the_host_warm(pool: Pool, use: Use) -> None:
    first = use("a")
    with pytest.raises(LoadFailed):
        use("a", style="load-fail")
    assert use("a") is first
    assert [each["backend"] for each in pool.unload()[0]] == ["a"]


def test_further_weights_that_do_not_fit_are_loaded_on_a_new_host_alone(
    pool: Pool, use: Use, scripted_dir: Path
) -> None:
    for name in ("a", "other"):
        use(name)
    with pytest.raises(OutOfMemory):
        use("a", style="load-oom")
    assert names(pool) == []
    loads = (scripted_dir / "loads").read_text().splitlines()
    assert [line.split()[1] for line in loads] == ["plain", "plain", "load-oom", "load-oom"]


def test_a_host_can_be_ended_while_it_loads_further_weights(
    pool: Pool, use: Use, settings: Settings
) -> None:
    use("a")
    ends: list[threading.Thread] = []

    def end(_text: str, _fraction: float | None) -> None:
        ends.append(threading.Thread(target=pool.abort))
        ends[-1].start()

    with pytest.raises(HostCrashed):
        pool.acquire("a", settings, end, Utterance("", style="load-until:never"))
    for thread in ends:
        thread.join()
    assert names(pool) == []
    assert use("a").is_alive


def test_what_a_model_needed_is_remembered_across_daemons(tmp_path: Path) -> None:
    path = str(tmp_path / "new" / "memory.json")
    Needs(path).put("qwen/1.7B/auto", ram_mb=4000.0, vram_mb=None)
    assert Needs(path).get("qwen/1.7B/auto") == (4000.0, 0.0)
    assert Needs(path).get("unknown") == (0.0, 0.0)
    Path(path).write_text("{broken")
    assert Needs(path).get("qwen/1.7B/auto") == (0.0, 0.0)


def key_of(host: Handle) -> str:
    return model_key(host.name, host.settings)


def shown(pool: Pool, host: Handle) -> dict[str, object]:
    (found,) = [each for each in pool.describe() if each["backend"] == host.name]
    return found


def test_a_host_stays_as_long_as_it_was_asked_to(pool: Pool, use: Use) -> None:
    long, for_ever, not_at_all, usual = map(use, ("long", "forever", "not at all", "usual"))
    pool.stay(key_of(long), 3600)
    pool.stay(key_of(for_ever), -1)
    pool.stay(key_of(not_at_all), 0)
    pool.stay(key_of(usual), None)
    pool.keep_alive_s = 1800
    assert pool.unload_due() == ["not at all"]
    pool.keep_alive_s = 0
    assert pool.unload_due() == ["usual"]
    assert long.is_alive and for_ever.is_alive


def test_what_was_asked_beats_what_the_settings_keep(pool: Pool, use: Use) -> None:
    pool.keep, pool.keep_alive_s = ("a",), 0
    host = use("a")
    assert pool.unload_due() == []
    pool.stay(key_of(host), 0)
    assert pool.unload_due() == ["a"]


def test_a_model_that_somebody_waits_for_stays_a_moment(pool: Pool, use: Use) -> None:
    host = use("a")
    pool.stay(key_of(host), 0)
    assert pool.unload_due(lambda key: key == key_of(host)) == []
    assert pool.unload_due(lambda key: key != key_of(host)) == ["a"]


def test_how_long_a_host_stays_is_forgotten_once_it_is_unloaded(pool: Pool, use: Use) -> None:
    pool.stay(key_of(use("a")), 0)
    assert pool.unload_due() == ["a"]
    use("a")
    assert pool.unload_due() == []
    pool.stay("a model that is not up", 0)
    assert pool.kept_for_s == 0


def test_a_crash_does_not_change_how_long_a_model_stays(pool: Pool, use: Use) -> None:
    pool.keep_alive_s = 0
    first = use("a")
    pool.stay(key_of(first), -1)
    first.kill()
    assert pool.kept_for_s == 0
    assert pool.unload_due() == ["a"]
    use("a")
    assert pool.unload_due() == []
    assert pool.kept_for_s == float("inf")


def test_for_how_long_hosts_have_to_stay(pool: Pool, use: Use) -> None:
    pool.keep_alive_s = 300
    use("usual")
    assert pool.kept_for_s == 0
    pool.stay(key_of(use("a")), 100)
    pool.stay(key_of(use("b")), 50)
    assert 50 < pool.kept_for_s <= 100
    pool.stay(key_of(use("b")), 1e12)
    assert pool.kept_for_s == float("inf")


def test_who_looks_sees_until_when_each_host_stays(
    pool: Pool, use: Use, settings: Settings
) -> None:
    pool.keep_alive_s = 60
    usual, for_ever = use("usual"), use("forever")
    pool.stay(key_of(for_ever), -5)
    assert shown(pool, usual)["keep_alive_s"] == 60
    assert str(shown(pool, usual)["expires_at"]).endswith("Z")
    assert (shown(pool, for_ever)["keep_alive_s"], shown(pool, for_ever)["expires_at"]) == (
        -1,
        None,
    )
    busy = pool.acquire("usual", usual.settings, NO_PROGRESS)
    assert busy is usual
    assert shown(pool, usual)["expires_at"] is None
    pool.release(busy)


def test_what_was_asked_to_stay_makes_room_last(
    pool: Pool, use: Use, machine: Machine, needs: Needs, settings: Settings
) -> None:
    pool.stay(key_of(use("asked")), -1)
    use("usual")
    machine.free_mb, machine.per_host_mb = 2000 + HEADROOM_MB, 1000
    needs.put(model_key("big", settings), ram_mb=1000, vram_mb=None)
    use("big")
    assert sorted(names(pool)) == ["asked", "big"]
    needs.put(model_key("bigger", settings), ram_mb=2000, vram_mb=None)
    use("bigger")
    assert names(pool) == ["bigger"]


def test_models_are_unloaded_by_name_and_the_busy_one_afterwards(
    pool: Pool, use: Use, settings: Settings
) -> None:
    use("a"), use("a", "other"), use("b")
    pool.keep = ("a",)
    unloaded, busy_names = pool.unload("a")
    assert ([each["model"] for each in unloaded], busy_names) == (["plain", "other"], [])
    assert names(pool) == ["b"]
    busy = pool.acquire("a", settings, NO_PROGRESS)
    assert pool.unload("somebody") == ([], [])
    unloaded, busy_names = pool.unload()
    assert ([each["backend"] for each in unloaded], busy_names) == (["b"], ["a"])
    assert busy.is_alive
    pool.release(busy)
    assert pool.unload_due() == ["a"]
    assert pool.unload() == ([], [])


def test_unloading_forgets_also_how_long_a_model_that_made_room_was_to_stay(
    pool: Pool, use: Use, machine: Machine, needs: Needs, settings: Settings
) -> None:
    pool.keep_alive_s = 0
    pool.stay(key_of(use("a")), -1)
    assert pool.unload_idle()  # memory ran out
    use("a")
    assert pool.kept_for_s == float("inf")
    assert pool.unload_idle()
    assert pool.unload("a") == ([], [])
    use("a")
    assert pool.kept_for_s == 0


def test_a_model_can_be_told_to_go_while_its_host_starts(
    start: StartHost, needs: Needs, settings: Settings
) -> None:
    said = []

    def launch(name: str, chosen: Settings) -> Handle:
        said.append(pool.unload(name))
        return start(chosen.model, name=name)

    pool = Pool(launch, needs)
    pool.release(pool.acquire("a", settings, NO_PROGRESS, keep_alive_s=-1))
    assert said == [([], ["a"])]
    assert pool.unload_due() == ["a"]


def test_who_only_warms_a_model_speaks_no_job(pool: Pool, settings: Settings) -> None:
    host = pool.acquire("a", settings, NO_PROGRESS)
    pool.release(host, has_spoken=False)
    assert pool.find(model_key("a", settings))["jobs"] == 0
    host.kill()
    with pytest.raises(HostCrashed):
        pool.find(model_key("a", settings))
