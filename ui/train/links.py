"""A run's configuration as a link, and the page set up as the link in the address says."""

from urllib.parse import urlencode

import streamlit as st

from engine.checks import InklingError, shown
from engine.data import SOURCES
from engine.links import from_query, to_query
from ui.language import PARAMETER as LANGUAGE
from ui.run import Run
from ui.state import session, set_value
from ui.train.config_form import fill
from ui.translation import N_, _
from ui.visitor import PARAMETER

OWN_DATA = "own"  # a visitor's own data are nobody else's


def link(run: Run, page: str) -> str:
    """The address, on this ``page``, that sets it up as it was for this run; raises ``InklingError`` if it is too long."""
    query = {"data": run.source if run.source in SOURCES else OWN_DATA} | to_query(run.config)
    return f"{page.split('?')[0]}?{urlencode(query, safe=':,=')}"


def open_link() -> str:
    """Set the page up as the address says, once for each address; return a line to show if it could not be done wholly."""
    query = {str(name): st.query_params[name] for name in st.query_params if name not in (PARAMETER, LANGUAGE)}
    if not query or session().opened_link == query:
        return ""
    session().opened_link = query
    source = query.get("data")
    known = source if source in SOURCES else None
    try:
        config = from_query(query)
        if config is not None:
            fill(config, N_("your link"), known)
        elif known:
            set_value("source", known)
    except InklingError as error:
        if "config" in query:  # nothing in an old, packed link can be put right by hand
            return _("This link is incomplete or damaged. Using defaults.")
        return _("This link is incomplete or damaged: {error}. Using defaults.").format(error=error)
    if source == OWN_DATA:
        return _("This link was made with somebody's own data, which a link cannot hold. Choose the data under Data.")
    if source is not None and not known:
        text = _("This link asks for the data {data}, which are not known here. Choose the data under Data.")
        return text.format(data=shown(source))
    return ""
