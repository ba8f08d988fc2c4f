"""The jobs over what faces are judged by: calibrations, and registered proxies (代配药人)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeAlias

from node.config import load_settings
from node.domain.face_templates import NewProxy, Proxy
from node.errors import ConfigurationError, TemplateError
from node.face_jobs import by_operator, model_name
from node.presence.enrolment import read_number, read_text
from node.store import NodeStore
from node.store.calibrations import CalibrationUse, KeptCalibration
from scoring_kernel.errors import CalibrationError
from scoring_kernel.faces.calibration import MAX_BYTES, Calibration
from security.progress import ProgressReporter

__all__ = ["READERS", "FaceRegisterJobs"]

Result: TypeAlias = dict[str, Any]
READERS: Final = ("proxies", "calibrations")
"""Jobs that change nothing."""
_MAX_CONSENT: Final = 100
_LEAST_DIGITS: Final = 8
_HEX: Final = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceRegisterJobs:
    """The jobs over one node."""

    directory: Path
    store: NodeStore
    now: Callable[[], datetime]

    def table(self) -> Mapping[str, Callable[[Result, ProgressReporter], Result]]:
        """Jobs by the name under which the command line and the socket know them."""
        return {
            "proxies": self.proxies,
            "proxy_add": self.add_proxy,
            "proxy_end": self.end_proxy,
            "calibrations": self.calibrations,
            "calibration_import": self.import_calibration,
            "calibration_end": self.end_calibration,
        }

    def proxies(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Registrations in which a person appears, with both numbers."""
        person = read_number(arguments["person"], "person")
        return {"rows": [_told(one) for one in self.store.edge.templates.proxies.of(person)]}

    def add_proxy(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Register who may act for a person."""
        by = by_operator(arguments, self.now())
        person = read_number(arguments["person"], "person")
        proxy = read_number(arguments["proxy"], "proxy")
        if person == proxy:
            raise TemplateError("found one number twice, expected a person and somebody else")
        begins_on = _day(arguments.get("begins_on")) or by.day
        days = load_settings(self.directory).faces.template_days
        ends_on = _day(arguments.get("ends_on")) or begins_on + timedelta(days=days - 1)
        if not begins_on <= ends_on <= begins_on + timedelta(days=days):
            raise TemplateError(
                f"found a last day {ends_on} for a registration from {begins_on}, expected one "
                f"from then on, at most {days} days later (template_days in [faces] of node.toml)"
            )
        consent = read_text(arguments["consent"], "consent", _MAX_CONSENT)
        asked = NewProxy(
            person=person, proxy=proxy, begins_on=begins_on, ends_on=ends_on, consent=consent
        )
        self.store.edge.templates.proxies.add(asked, by)
        return {"begins_on": begins_on.isoformat(), "ends_on": ends_on.isoformat()}

    def end_proxy(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """End a registration: from now on it counts no more."""
        by = by_operator(arguments, self.now())
        person = read_number(arguments["person"], "person")
        proxy = read_number(arguments["proxy"], "proxy")
        yesterday = by.day - timedelta(days=1)
        return {"ended": self.store.edge.templates.proxies.end(person, proxy, yesterday, by)}

    def calibrations(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Thresholds in force by site, or all that ever were."""
        kept = self.store.edge.calibrations.kept(ended=bool(arguments.get("all")))
        return {"rows": [_kept(one) for one in kept]}

    def import_calibration(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Put a calibration in force at its site."""
        by = by_operator(arguments, self.now())
        use = CalibrationUse(arguments["use"])
        calibration = _read(Path(arguments["file"]))
        if calibration.site not in self.store.institution_codes():
            raise CalibrationError(
                f"calibration: found site {calibration.site}, expected an institution of this "
                "node: import it at the node that has the institution in custody"
            )
        if calibration.threshold_e4 <= 0:
            raise CalibrationError(
                f"calibration: found the threshold {calibration.threshold_e4 / 10_000:.4f}, "
                "expected more than 0: faces that have nothing in common reach that; see which "
                "pairs it was made of, and calibrate again"
            )
        self.store.edge.calibrations.put(calibration, use, by)
        shown = KeptCalibration(
            calibration=calibration,
            use=use,
            imported_at=by.moment,
            imported_by=by.operator,
            ended_at=None,
        )
        return _kept(shown)

    def end_calibration(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """End a calibration: its site has no threshold any more."""
        by = by_operator(arguments, self.now())
        digits = arguments["digest"].lower()
        if len(digits) < _LEAST_DIGITS or not set(digits) <= _HEX:
            raise ConfigurationError(
                f"found {digits[:20]!r}, expected at least {_LEAST_DIGITS} hexadecimal digits of "
                "a calibration; see them with: yixin node faces calibration list"
            )
        ended = self.store.edge.calibrations.end(digits, by)
        if not ended:
            raise ConfigurationError(
                f"no calibration in force begins with {digits[:20]}; see them with: "
                "yixin node faces calibration list"
            )
        return {"ended": ended}


def _read(path: Path) -> Calibration:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CalibrationError(
            f"{path} cannot be read ({error.strerror}); name the file that `yixin device "
            "calibrate --out` wrote"
        ) from error
    return Calibration.from_json(content)


def _kept(one: KeptCalibration) -> Result:
    calibration = one.calibration
    result = calibration.result
    return {
        "digest": calibration.digest.hex(),
        "site": calibration.site,
        "use": one.use.value,
        "model": model_name(calibration.model),
        "threshold": f"{calibration.threshold_e4 / 10_000:.4f}",
        "target_far": f"{result.target_far_e6 / 1_000_000:.6f}",
        "subjects": result.subjects,
        "imported_at": one.imported_at,
        "imported_by": one.imported_by,
        "ended_at": one.ended_at,
    }


def _told(one: Proxy) -> Result:
    return {
        "person": one.kept.person,
        "proxy": one.kept.proxy,
        "begins_on": one.kept.begins_on.isoformat(),
        "ends_on": one.kept.ends_on.isoformat(),
        "consent": one.kept.consent,
        "made_at": one.made_at,
    }


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
