"""Inkling in the browser: ``streamlit run streamlit_app.py``."""

import streamlit as st

if __name__ == "__main__":  # run for a visitor
    from ui import ASSETS, DRAW_PAGE, STYLES, TRAIN_PAGE, WORK_PAGE, state, visitor

    st.set_page_config(page_title="Inkling", page_icon=ASSETS / "icon.png", layout="wide")
    for style in STYLES:
        st.html(style)
    page = st.navigation(
        [
            st.Page(DRAW_PAGE, title="Draw", icon=":material/draw:", default=True),
            st.Page(TRAIN_PAGE, title="Train", icon=":material/model_training:", url_path="train"),
            st.Page(WORK_PAGE, title="My work", icon=":material/folder:", url_path="work"),
        ],
        position="top",
    )
    visitor.open_workspace()
    state.begin_run(page.title)
    visitor.show_notices()
    page.run()
    visitor.remember()
    state.end_run()
else:  # imported once by the server
    from ui import server

    app = st.App(__file__, middleware=server.middleware(), lifespan=server.lifespan)
