//! A page as one HTML file.

use super::TrialPage;
use crate::trial::report::HOW_TO_REPLAY;

/// The page, without its title and its data.
const TEMPLATE: &str = include_str!("page.html");

pub(super) fn html(page: &TrialPage) -> String {
    // What is in a script element ends at its end tag, whatever is in strings.
    let data = page.to_json().replace("</", "<\\/").replace("<!--", "<\\u0021--");
    let title = escape(&page.title);
    TEMPLATE.replace("{{title}}", &title).replace("{{replay}}", HOW_TO_REPLAY).replace("{{data}}", &data)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
