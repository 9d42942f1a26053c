//! Views as replies, and as the answers of routes.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::app::event::WebEvent;
use crate::content::view::{View, Views, view};
use crate::http::response::{WholeResponse, internal_error};
use crate::web::reply::Reply;
use crate::web::route::{RouteFilter, handler_filter_0};

/// Makes the filter of a route that answers with a view. The path's parameters
/// become the variables of the template.
pub fn view_filter(name: &'static str) -> RouteFilter {
    handler_filter_0(move |event: WebEvent| {
        let variables: BTreeMap<_, _> = event.parameters().collect();
        std::future::ready(view(name).with(&variables))
    })
}

/// Answers with a value of a type that derives `View`, from the templates that it
/// was checked with.
pub fn show<T: Serialize + ?Sized>(
    views: &Views,
    name: &'static str,
    data: &T,
    event: &WebEvent,
) -> WholeResponse {
    views.answer(&View::of(name, data), event.policy(), event.positions())
}

impl Reply for View {
    fn into_response(self, event: &WebEvent) -> WholeResponse {
        match event.views() {
            Some(views) => views.answer(&self, event.policy(), event.positions()),
            None => internal_error(&format!(
                "view `{}` can't be shown: no folder of views is declared",
                self.name
            )),
        }
    }
}
