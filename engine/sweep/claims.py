"""``Claims``: which worker has which trial, with its paused training, in tables beside Optuna's own.

A worker that has a trial says regularly that it lives, by counting its *beats*. Whoever has seen the same count for long
enough may take the trial over, and continues from its paused training. No clocks of different machines are compared.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

Result = dict[str, Any]  # of one training: its ``value`` in the measure, its ``epochs`` and ``seconds``

_METADATA = sa.MetaData()
CLAIMS = sa.Table(
    "sweep_claims",
    _METADATA,
    sa.Column("trial_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("owner", sa.String(32), nullable=False),  # "" after it was given up
    sa.Column("beats", sa.Integer, nullable=False),
    sa.Column("results", sa.JSON, nullable=False),  # of the trainings that are over, one for each seed
    sa.Column("training", sa.LargeBinary),  # the current one, as ``save_training`` writes it
)
NETWORKS = sa.Table(
    "sweep_networks",
    _METADATA,
    sa.Column("trial_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),  # which of the seeds, from 0
    sa.Column("network", sa.LargeBinary, nullable=False),  # as ``save`` writes it
)


class LostClaim(Exception):
    """Another worker has this trial: this one was silent for too long."""


class Claim(NamedTuple):
    """Who has a trial, and how often it has said so."""

    owner: str
    beats: int


class Claims:
    """One worker's claims in the database behind ``engine``; each method is one transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine, self.owner = engine, uuid4().hex
        _METADATA.create_all(engine)

    def forget_deleted(self) -> None:
        """Delete what was stored of trials that were deleted since: SQLite gives their ids to new ones."""
        trials = sa.select(sa.table("trials", sa.column("trial_id")).c.trial_id)  # Optuna's
        with self.engine.begin() as connection:
            for table in (CLAIMS, NETWORKS):
                connection.execute(sa.delete(table).where(table.c.trial_id.not_in(trials)))

    def all(self) -> dict[int, Claim]:
        """The claim of each trial that has one, by the trial's id."""
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(CLAIMS.c.trial_id, CLAIMS.c.owner, CLAIMS.c.beats))
            return {trial_id: Claim(owner, beats) for trial_id, owner, beats in rows}

    def take(self, trial_id: int) -> bool:
        """Claim a trial that nobody has; whether that worked."""
        try:
            with self.engine.begin() as connection:
                values = {"trial_id": trial_id, "owner": self.owner, "beats": 0, "results": []}
                connection.execute(sa.insert(CLAIMS).values(values))
        except IntegrityError:  # another one was quicker
            return False
        return True

    def take_over(self, trial_id: int, seen: Claim) -> bool:
        """Claim a trial whose claim is still as it was ``seen``; whether that worked."""
        is_same = (CLAIMS.c.trial_id == trial_id) & (CLAIMS.c.owner == seen.owner) & (CLAIMS.c.beats == seen.beats)
        with self.engine.begin() as connection:
            result = connection.execute(sa.update(CLAIMS).where(is_same).values(owner=self.owner, beats=seen.beats + 1))
            return result.rowcount == 1

    def beat(self, trial_id: int) -> None:
        """Say that this worker lives; raises ``LostClaim``."""
        self._update(trial_id, beats=CLAIMS.c.beats + 1)

    def save(
        self, trial_id: int, results: Sequence[Result], training: bytes | None = None, network: bytes | None = None
    ) -> None:
        """Store how far a trial is: the ``results`` of its trainings that are over, and the paused one.

        ``network`` is the one of the training that was last over, or of the first one, which has been pruned. Raises
        ``LostClaim``.
        """
        with self.engine.begin() as connection:
            self._update(trial_id, connection, beats=CLAIMS.c.beats + 1, results=list(results), training=training)
            if network is not None:
                key = {"trial_id": trial_id, "position": max(len(results) - 1, 0)}
                connection.execute(sa.delete(NETWORKS).filter_by(**key))
                connection.execute(sa.insert(NETWORKS).values(network=network, **key))

    def saved(self, trial_id: int) -> tuple[list[Result], bytes | None]:
        """What ``save`` stored of a trial that is not over."""
        with self.engine.connect() as connection:
            columns = sa.select(CLAIMS.c.results, CLAIMS.c.training).where(CLAIMS.c.trial_id == trial_id)
            results, training = connection.execute(columns).one()
            return results, training

    def give_up(self, trial_id: int) -> None:
        """Let anyone take the trial over at once; raises ``LostClaim``."""
        self._update(trial_id, owner="")

    def end(self, trial_id: int, keep_networks: bool) -> None:
        """Forget the claim on a trial that is over, and its networks unless they are to be kept."""
        with self.engine.begin() as connection:
            connection.execute(sa.delete(CLAIMS).where(CLAIMS.c.trial_id == trial_id))
            if not keep_networks:
                connection.execute(sa.delete(NETWORKS).where(NETWORKS.c.trial_id == trial_id))

    def networks(self, trial_id: int) -> list[bytes]:
        """The networks of a trial, one for each seed."""
        with self.engine.connect() as connection:
            rows = sa.select(NETWORKS.c.network).where(NETWORKS.c.trial_id == trial_id).order_by(NETWORKS.c.position)
            return list(connection.execute(rows).scalars())

    def num_bytes(self, trial_ids: Sequence[int]) -> int:
        """How many bytes the networks of these trials take."""
        with self.engine.connect() as connection:
            size = sa.select(sa.func.sum(sa.func.length(NETWORKS.c.network)))
            return connection.scalar(size.where(NETWORKS.c.trial_id.in_(trial_ids))) or 0

    def _update(self, trial_id: int, connection: sa.Connection | None = None, **values: Any) -> None:
        if connection is None:
            with self.engine.begin() as own:
                return self._update(trial_id, own, **values)
        is_own = (CLAIMS.c.trial_id == trial_id) & (CLAIMS.c.owner == self.owner)
        if connection.execute(sa.update(CLAIMS).where(is_own).values(values)).rowcount != 1:
            raise LostClaim
