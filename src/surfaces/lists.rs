//! The resource lists of accounts and groups, for `res_pjsip_pubsub`.

use std::ffi::CStr;

use crate::runtime;
use crate::runtime::lists::ResourceList;
use asterisk::pjsip::sender::{self, RequestSender};
use asterisk::sorcery::{ObjectField, SorceryObject, SorceryObjects};

/// Answers for objects of `type = resource_list`.
pub struct UserLists;

impl SorceryObjects for UserLists {
    const WIZARD: &'static CStr = c"userpresence_lists";
    const TYPE: &'static CStr = c"resource_list";
    const FILE: &'static CStr = c"res_pjsip_pubsub.so";
    const WHAT: &'static str = "resource lists";

    /// Asked with a SUBSCRIBE, in its thread, for what is subscribed to and for each member of a
    /// list; and once more for each subscription that Asterisk restores at its start.
    fn find(id: &str) -> Option<Vec<ObjectField>> {
        crate::trip("lists");
        let sender = sender::current();
        let endpoint = match &sender {
            RequestSender::Unknown => return None,
            RequestSender::Nobody => None,
            RequestSender::Endpoint(name) => Some(name.as_str()),
        };
        let list = runtime::current()?.resource_list(id, endpoint)?;
        Some(fields(&list))
    }

    fn all(wanted: &dyn Fn(&str) -> bool) -> Vec<SorceryObject> {
        let lists = runtime::current().map(|runtime| runtime.resource_lists(wanted));
        let lists = lists.unwrap_or_default().into_iter();
        let object = |list: ResourceList| SorceryObject {
            fields: fields(&list),
            id: list.name,
        };
        lists.map(object).collect()
    }
}

fn fields(list: &ResourceList) -> Vec<ObjectField> {
    let field = |name, value: &str| ObjectField {
        name,
        value: value.to_owned(),
    };
    let full_state = if list.full_state { "yes" } else { "no" };
    let mut fields = vec![
        field(c"event", "presence"),
        field(c"full_state", full_state),
        field(c"notification_batch_interval", &list.batch.to_string()),
        field(c"resource_display_name", "yes"),
    ];
    // One line each: Asterisk copies a line to its stack.
    let members = list.extensions.iter();
    fields.extend(members.map(|extension| field(c"list_item", extension)));
    fields
}
