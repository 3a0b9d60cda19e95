"""The writers of drawings in a workspace."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("drawings", sa.Column("writer", sa.String, nullable=False, server_default=sa.text("''")))
