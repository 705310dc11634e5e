"""Which backups the tiers keep: an implementation of the tests' own, by the documents alone."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(eq=False)
class Backup:
    """What a night has made, as the test knows it: no clock and no name of the program's."""

    night: int
    true: object  # when it was
    created: object  # by the host's clock
    modified: object  # by the puller's
    whole: bool
    content: dict
    seen_ahead: bool = False


CREATED, MODIFIED = (lambda backup: backup.created), (lambda backup: backup.modified)
PERIODS = {
    "daily": lambda date: date.date(),
    "weekly": lambda date: date.isocalendar()[:2],
    "monthly": lambda date: (date.year, date.month),
}


def newest(backups, date, tiers):
    """The newest N, and the newest of each of the last N days, weeks and months that have a backup."""
    backups = sorted(backups, key=date, reverse=True)
    kept = {*backups[: tiers["last"]]}
    for tier, period in PERIODS.items():
        of_period = {}
        for backup in backups:
            of_period.setdefault(period(date(backup)), backup)
        kept |= {*[*of_period.values()][: tiers.get(tier, 0)]}
    return kept


def to_be_kept(backups, now, tiers):
    """The tiers, as docs/off-site.md has them."""
    # "A backup that both clocks place in the future is kept and counts for nothing."
    future = {backup for backup in backups if min(backup.created, backup.modified) > now}
    counted = backups - future
    # "An incomplete backup never takes a complete one's place"; nor does one that was once seen in the future.
    whole = {backup for backup in counted if backup.whole}
    kept = future
    # "A backup that either order keeps is kept."
    for date in (
        CREATED,
        lambda backup: backup.created if backup.created <= now else backup.modified,
        lambda backup: backup.modified if backup.modified <= now else backup.created,
    ):
        for pool in (counted, whole, {backup for backup in whole if not backup.seen_ahead}):
            kept = kept | newest(pool, date, tiers)
    for backup in future:
        backup.seen_ahead |= min(backup.created, backup.modified) > now + timedelta(days=1)
    return kept


def by_restic(backups, tiers):
    """`restic forget`: the same by the puller's clock alone; `sluice pull` groups them by what they are worth."""
    return set().union(*(newest([backup for backup in backups if backup.whole == whole], MODIFIED, tiers) for whole in (True, False)))


def by_borg(backups, tiers):
    """`borg prune`: what an earlier rule keeps does not count in a later one, and the oldest stays while a rule has too few."""
    kept = set()
    for whole in (True, False):
        pool = sorted((backup for backup in backups if backup.whole == whole), key=MODIFIED, reverse=True)
        for tier, period in {"last": lambda date: date, **PERIODS}.items():
            found, seen = set(), None
            for backup in pool:
                if len(found) < tiers.get(tier, 0) and period(backup.modified) != seen:
                    seen = period(backup.modified)
                    found |= {backup} - kept
            if len(found) < tiers.get(tier, 0):
                found |= {*pool[-1:]} - kept
            kept |= found
    return kept
