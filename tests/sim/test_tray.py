import pytest

from station.errors import ConfigError
from station.model import PortPath, Slot, imei_is_valid
from station.sim.tray import make_tray


def slots(count: int) -> list[Slot]:
    return [
        Slot(f"A{n}", frozenset({PortPath(2, (1, n)), PortPath(1, (1, n))}))
        for n in range(1, count + 1)
    ]


def test_each_module_has_an_identity_of_its_own() -> None:
    tray = make_tray(slots(16), size_mb=1, seed=3)
    identities = [module.identity for module in tray.modules.values()]
    assert all(imei_is_valid(who.imei) and imei_is_valid(who.imei_after) for who in identities)
    assert all(who.imei.startswith("86686604") for who in identities)
    assert all(len(who.serial) == 17 and who.serial.startswith("D1Q21A8") for who in identities)
    assert all(len(who.chip_serial) == 8 for who in identities)
    for name in ("imei", "serial", "chip_serial"):
        assert len({getattr(who, name) for who in identities}) == 16
    imeis = {who.imei for who in identities} | {who.imei_after for who in identities}
    assert len(imeis) == 32


def test_the_same_seed_makes_the_same_tray() -> None:
    one, two, other = (
        [module.identity for module in make_tray(slots(2), size_mb=1, seed=seed).modules.values()]
        for seed in (1, 1, 2)
    )
    assert one == two != other


def test_the_lowest_bus_is_the_usb_2_side() -> None:
    port = make_tray(slots(1), size_mb=1).ports["A1"]
    assert (str(port.high_speed), str(port.super_speed)) == ("1-1.1", "2-1.1")


def test_faults_and_families_go_where_they_belong() -> None:
    tray = make_tray(slots(2), family="rm500q", size_mb=1, faults={"A2": "ftm"})
    tray.plug(0.0)
    assert tray.modules["A1"].traits.functionality_after_flash == 1
    assert tray.modules["A2"].traits.functionality_after_flash == 5
    device = tray.ports["A2"].device(0.0)
    assert device is not None
    assert (str(device.path), device.usb_id) == ("2-1.2", "2c7c:0800")


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ({"A1": "unplugg"}, "did you mean unplug"),
        ({"A1": "xyzzy"}, "there are nak"),
        ({"B9": "nak"}, "B9"),
    ],
)
def test_what_is_not_there_is_named(faults: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make_tray(slots(1), size_mb=1, faults=faults)


def test_a_slot_without_ports_cannot_hold_a_module() -> None:
    with pytest.raises(ConfigError, match="A1 has no port"):
        make_tray([Slot("A1", frozenset())], size_mb=1)
