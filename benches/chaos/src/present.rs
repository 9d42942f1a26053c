//! Who is present at a path, as clients are told.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::client::Heard;
use crate::plan::NODES;
use crate::world::{World, lock};

/// The name of each client, by its id.
pub(crate) type Present = BTreeMap<String, String>;

/// Applies what a client is told of who is present, if this object does that; returns
/// whether it may be told so. Nothing is known before it is told who is there.
pub(crate) fn apply(present: &mut Option<Present>, object: &Value) -> bool {
    let Some(members) = object.as_object() else { return false };
    if let Some(here) = members.get("here") {
        *present = serde_json::from_value(here.clone()).ok();
        present.is_some()
    } else if let Some(id) = object["join"].as_str() {
        let name = object["info"].as_str().unwrap_or_default();
        // What is told of a client never changes, so it isn't told of one who is there.
        present.as_mut().is_some_and(|all| all.insert(id.to_owned(), name.to_owned()).is_none())
    } else if let Some(id) = object["leave"].as_str() {
        present.as_mut().is_some_and(|all| all.remove(id).is_some())
    } else {
        true
    }
}

/// Returns who knows others as present than those that are: clients, and nodes.
pub(crate) async fn misled(world: &World, heard: &[Arc<Mutex<Heard>>]) -> Vec<String> {
    let mut present = HashMap::<String, Present>::new();
    for heard in heard {
        let heard = lock(heard);
        let there = present.entry(heard.trace.path.clone()).or_default();
        there.extend(heard.me.clone().map(|me| (me, heard.trace.name.clone())));
    }
    // Nobody is told of others there.
    present.remove("/news");
    let mut misled = Vec::new();
    for heard in heard {
        let Heard { trace, present: told, .. } = &*lock(heard);
        if told.as_ref() != present.get(&trace.path) {
            misled
                .push(format!("{} was told that at {} there are {told:?}", trace.name, trace.path));
        }
    }
    for (path, present) in present {
        for node in 0..NODES {
            let told = world.present(node, &path).await;
            if told.as_ref() != Some(&present) {
                misled.push(format!(
                    "n{node} says that at {path} there are {told:?}, of {present:?}"
                ));
            }
        }
    }
    misled
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nobody_joins_or_leaves_twice_or_before_it_is_told_who_is_there() {
        let mut present = None;
        let mut is_right = |object| apply(&mut present, &object);
        assert!(is_right(json!({ "at": 5, "data": "a" })));
        assert!(!is_right(json!({ "at": 6, "join": "a", "info": "c0" })));
        assert!(!is_right(json!({ "here": null, "count": 250 })));
        assert!(is_right(json!({ "here": { "a": "c0" } })));
        assert!(!is_right(json!({ "at": 7, "join": "a", "info": "c0" })));
        assert!(is_right(json!({ "at": 7, "join": "b", "info": "c1" })));
        assert!(is_right(json!({ "at": 8, "leave": "a" })));
        assert!(!is_right(json!({ "at": 9, "leave": "a" })));
        assert_eq!(present, Some(Present::from([("b".to_owned(), "c1".to_owned())])));
    }
}
