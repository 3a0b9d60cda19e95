"""Class collections, and the drawings that phones donate to them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "class_collections",
        sa.Column("code", sa.String, nullable=False),
        sa.Column("workspace", sa.String, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("closed", sa.Double),
        sa.Column("downloaded", sa.Double),
        sa.Column("keeps_names", sa.Boolean, nullable=False),
        sa.Column("shows_names", sa.Boolean, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_class_collections"),
        sa.ForeignKeyConstraint(
            ["workspace"], ["workspaces.id"], name="fk_class_collections_workspaces", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_class_collections_workspace", "class_collections", ["workspace"])
    op.create_table(
        "class_drawings",
        sa.Column("collection", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("phone", sa.String, nullable=False),
        sa.Column("nickname", sa.String, nullable=False),
        sa.Column("label", sa.Integer, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("image", sa.LargeBinary, nullable=False),
        sa.Column("strokes", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("collection", "key", name="pk_class_drawings"),
        sa.ForeignKeyConstraint(
            ["collection"],
            ["class_collections.code"],
            name="fk_class_drawings_class_collections",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_class_drawings_collection", "class_drawings", ["collection", "phone", "created"])
