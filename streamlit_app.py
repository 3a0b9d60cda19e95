"""Inkling in the browser: ``streamlit run streamlit_app.py``."""

from pathlib import Path

import streamlit as st

from ui import kept, session

UI = Path(__file__).parent / "ui"
st.set_page_config(page_title="Inkling", page_icon=UI / "icon.png", layout="wide")
st.html(UI / "style.css")
page = st.navigation(
    [
        st.Page(UI / "draw.py", title="Draw", icon=":material/draw:", default=True),
        st.Page(UI / "train.py", title="Train", icon=":material/model_training:"),
    ],
    position="top",
)
session.come_to(page.title)
kept.begin_run()
page.run()
kept.end_run()
