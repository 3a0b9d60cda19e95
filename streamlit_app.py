"""Inkling in the browser: ``streamlit run streamlit_app.py``."""

import streamlit as st

if __name__ == "__main__":  # run for a visitor
    from ui import ASSETS, STYLES, language, navigation, presentation, state, visitor
    from ui.lessons import panel as lesson_panel

    st.set_page_config(page_title="Inkling", page_icon=ASSETS / "icon.png", layout="wide")
    for style in [*STYLES, *presentation.styles()]:
        st.html(style)
    visitor.open_workspace()
    language.begin_run()
    page, pages = navigation.choose_page()
    navigation.show_links(page, pages)
    state.begin_run(page.title)
    lesson_panel.show(page, pages)
    visitor.show_notices()
    page.run()
    language.show_menu("language_below")
    visitor.remember()
    state.end_run()
else:  # imported once by the server
    from ui import server

    app = st.App(__file__, middleware=server.middleware(), lifespan=server.lifespan)
