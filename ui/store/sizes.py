"""How many bytes everything in a workspace takes."""

from collections import Counter

import sqlalchemy as sa

from ui.store.schema import CLASS_DRAWINGS, CLASSES, DRAWINGS, FILES, NETWORKS, RUNS, VALUES


def workspace_size(connection: sa.Connection, workspace: str) -> int:
    """The bytes of everything together."""
    return sum(workspace_sizes(connection, workspace).values())


def workspace_sizes(connection: sa.Connection, workspace: str) -> dict[tuple[str, str], int]:
    """The bytes of each thing, by kind and name."""
    sizes: Counter[tuple[str, str]] = Counter()
    for kind, name, content in (
        ("run", RUNS.c.key, RUNS.c.details),
        ("run", FILES.c.run, FILES.c.content),
        ("network", NETWORKS.c.name, NETWORKS.c.content),
        ("value", VALUES.c.name, VALUES.c.value),
        ("drawings", DRAWINGS.c.label, DRAWINGS.c.image),
        ("drawings", DRAWINGS.c.label, DRAWINGS.c.strokes),
        ("class", CLASS_DRAWINGS.c.collection, CLASS_DRAWINGS.c.image),
        ("class", CLASS_DRAWINGS.c.collection, CLASS_DRAWINGS.c.strokes),
    ):
        query = sa.select(name, sa.func.sum(sa.func.length(content))).group_by(name)
        if kind == "class":
            query = query.join(CLASSES).where(CLASSES.c.workspace == workspace)
        else:
            query = query.where(name.table.c.workspace == workspace)
        for key, size in connection.execute(query):
            sizes[kind, str(key)] += int(size)
    return sizes
