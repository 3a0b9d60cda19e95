"""The first tables: workspaces with their values, runs, files of runs, and networks; and servers."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "workspaces",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("visited", sa.Date, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workspaces"),
    )
    op.create_index("ix_workspaces_visited", "workspaces", ["visited"])
    op.create_table(
        "workspace_values",
        sa.Column("workspace", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("workspace", "name", name="pk_workspace_values"),
        _of_workspace("workspace_values"),
    )
    op.create_table(
        "runs",
        sa.Column("workspace", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("is_over", sa.Boolean, nullable=False),
        sa.Column("owner", sa.String),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("updated", sa.Double, nullable=False),
        sa.Column("removed", sa.Double),
        sa.PrimaryKeyConstraint("workspace", "key", name="pk_runs"),
        _of_workspace("runs"),
    )
    op.create_table(
        "run_files",
        sa.Column("workspace", sa.String, nullable=False),
        sa.Column("run", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("workspace", "run", "name", name="pk_run_files"),
        sa.ForeignKeyConstraint(
            ["workspace", "run"], ["runs.workspace", "runs.key"], name="fk_run_files_runs", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "networks",
        sa.Column("workspace", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("workspace", "name", name="pk_networks"),
        _of_workspace("networks"),
    )
    op.create_table(
        "servers",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("seen", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_servers"),
    )


def _of_workspace(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=f"fk_{table}_workspaces", ondelete="CASCADE")
