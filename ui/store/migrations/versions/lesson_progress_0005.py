"""How far the phones of a class are in their lessons."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "class_lessons",
        sa.Column("collection", sa.String, nullable=False),
        sa.Column("phone", sa.String, nullable=False),
        sa.Column("lesson", sa.String, nullable=False),
        sa.Column("nickname", sa.String, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("begun", sa.Double, nullable=False),
        sa.Column("updated", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("collection", "phone", "lesson", name="pk_class_lessons"),
        sa.ForeignKeyConstraint(
            ["collection"], ["class_collections.code"], name="fk_class_lessons_class_collections", ondelete="CASCADE"
        ),
    )
