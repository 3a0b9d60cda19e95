"""Inkling in the browser: ``streamlit run streamlit_app.py``."""

from pathlib import Path

import streamlit as st

from ui import session

st.set_page_config(page_title="Inkling", page_icon="ui/icon.png", layout="wide")
st.html(Path("ui/style.css"))
page = st.navigation(
    [
        st.Page("ui/draw.py", title="Draw", icon=":material/draw:", default=True),
        st.Page("ui/train.py", title="Train", icon=":material/model_training:"),
    ],
    position="top",
)
session.begin_run(page.title)
page.run()
