"""Drawings with labels."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "drawings",
        sa.Column("workspace", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("label", sa.Integer, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("image", sa.LargeBinary, nullable=False),
        sa.Column("strokes", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("workspace", "key", name="pk_drawings"),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name="fk_drawings_workspaces", ondelete="CASCADE"),
    )
