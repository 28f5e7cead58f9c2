//! What servers that share their users tell of their cluster.

use std::fs;
use std::path::{Path, PathBuf};

use super::exchange::{assert_headers, headers, next};
use super::pages::{Names, assert_same, code, names, tables};
use crate::harness::cluster::{Cluster, NODES};
use crate::harness::{Message, repository_file, wait_until};

const EVENT: &str = "UserPresenceClusterChange";

#[test]
fn every_header_of_the_cluster_is_on_a_page_and_in_the_help() {
    let cluster = Cluster::of("").nodes(2).start();
    let keeper = cluster.keeper();
    let [gone, stays] = [keeper, 1 - keeper].map(|number| cluster.all()[number].ami());
    let (nodes, end) = stays.list_to_its_end(&[("Action", "UserPresenceCluster")]);
    assert_headers(
        "UserPresenceNode",
        &nodes.iter().flat_map(headers).collect(),
    );
    assert_headers("UserPresenceClusterComplete", &headers(&end));

    // The keeper is cut off for so long that the other one takes its place, and comes back.
    let mut seen: Vec<Message> = Vec::new();
    cluster.cut(keeper);
    seen.push(next(&gone, EVENT));
    seen.extend([next(&stays, EVENT), next(&stays, EVENT)]);
    cluster.heal(keeper);
    wait_until("the node to be back", || {
        seen.push(next(&stays, EVENT));
        let last = seen.last().expect("the one just seen");
        (last.get("Change") == Some("NodeHere")).then_some(())
    });
    wait_until("it to share its users again", || {
        seen.push(next(&gone, EVENT));
        let last = seen.last().expect("the one just seen");
        (last.get("Change") == Some("Joined")).then_some(())
    });
    assert_headers(EVENT, &seen.iter().flat_map(headers).collect());
    let changes = names(seen.iter().filter_map(|event| event.get("Change")));
    let mut documented = changes_on_page();
    // A test of the cluster has a node that may not take part.
    assert!(documented.remove("Refused"));
    assert_same("changes of the cluster", &documented, &changes);
    let away = nodes.iter().find(|node| node.get("Self") == Some("no"));
    assert_eq!(away.and_then(|node| node.get("Node")), Some(NODES[keeper]));
}

/// The page about clusters explains messages by their words: each is one of the module's.
#[test]
fn every_message_of_the_page_is_one_of_the_module() {
    let page = repository_file("doc/cluster.md");
    let (_, page) = page.split_once("\n## Messages\n").expect("the section");
    let (page, _) = page
        .split_once("If changes do not arrive")
        .expect("its end");
    let mut source = String::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = sources(&root.join("src/cluster"));
    files.push(root.join("src/runtime/cluster.rs"));
    for file in files {
        let text = fs::read_to_string(&file).expect("a source file");
        // A text in several lines is one.
        let mut lines = text.split("\\\n");
        source += lines.next().unwrap_or_default();
        lines.for_each(|line| source += line.trim_start());
    }
    let mut checked = 0;
    for message in page.split('*').skip(1).step_by(2) {
        let message = message.replace('\n', " ");
        for part in message.split("...") {
            let part = part.trim_matches([' ', '\'', ',']);
            assert!(source.contains(part), "{part:?} of {message:?}");
            checked += 1;
        }
    }
    assert!(checked > 30, "{checked}");
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let all = paths.flat_map(|path| match path.is_dir() {
        true => sources(&path),
        false => vec![path],
    });
    all.collect()
}

/// The values of the header `Change`.
fn changes_on_page() -> Names {
    let tables = tables(&format!("header of `{EVENT}`"));
    let mut rows = tables.iter().flat_map(|table| &table.rows);
    let row = rows.find(|row| row[0] == "`Change`").expect("the header");
    names(code(&row[1]))
}
