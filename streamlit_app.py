"""Inkling in the browser: ``streamlit run streamlit_app.py``."""

import streamlit as st

from ui import ASSETS, DRAW_PAGE, TRAIN_PAGE, state

st.set_page_config(page_title="Inkling", page_icon=ASSETS / "icon.png", layout="wide")
st.html(ASSETS / "style.css")
page = st.navigation(
    [
        st.Page(DRAW_PAGE, title="Draw", icon=":material/draw:", default=True),
        st.Page(TRAIN_PAGE, title="Train", icon=":material/model_training:", url_path="train"),
    ],
    position="top",
)
state.begin_run(page.title)
page.run()
state.end_run()
