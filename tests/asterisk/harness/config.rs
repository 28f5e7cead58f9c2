//! The text of an instance's configuration files.

use std::path::Path;

use super::builder::Builder;

/// The AMI user with all rights.
pub(super) const ADMIN: &str = "admin";
/// The secret of every AMI user of the instance.
pub(super) const SECRET: &str = "secret";

/// The endpoint of a [`super::Subscriber`].
pub(super) const WATCHER: &str = "watcher";

/// The ports of an instance, all on 127.0.0.1.
#[derive(Clone, Copy)]
pub(super) struct Ports {
    pub(super) ami: u16,
    pub(super) sip: u16,
    pub(super) http: u16,
}

/// `asterisk.conf` with every directory below `dir`: the instance touches no file of the
/// machine's own Asterisk.
pub(super) fn asterisk(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "[directories]\n\
         astetcdir => {dir}/etc\n\
         astmoddir => {dir}/modules\n\
         astvarlibdir => {dir}/lib\n\
         astdbdir => {dir}/lib\n\
         astkeydir => {dir}/lib\n\
         astcachedir => {dir}/cache\n\
         astdatadir => {dir}/data\n\
         astagidir => {dir}/data/agi-bin\n\
         astspooldir => {dir}/spool\n\
         astrundir => {dir}/run\n\
         astlogdir => {dir}/log\n\
         astsbindir => {dir}/run\n\
         \n\
         [options]\n\
         verbose = 3\n\
         nocolor = yes\n\
         ; As a careful administrator has it: what works here, works there.\n\
         live_dangerously = no\n"
    )
}

/// `load` keeps Asterisk's own order by priority, as `autoload` would.
pub(super) fn modules<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut text = "[modules]\nautoload = no\n".to_owned();
    for name in names {
        text.push_str(&format!("load = {name}.so\n"));
    }
    text
}

pub(super) fn logger() -> &'static str {
    "[general]\n\
     dateformat = %F %T.%3q\n\
     [logfiles]\n\
     full.log => notice,warning,error,verbose\n"
}

pub(super) fn manager(ports: Ports, builder: &Builder) -> String {
    let web = if builder.http { "yes" } else { "no" };
    let mut text = format!(
        "[general]\n\
         enabled = yes\n\
         webenabled = {web}\n\
         bindaddr = 127.0.0.1\n\
         port = {}\n\
         displayconnects = no\n",
        ports.ami
    );
    let admin = (ADMIN.to_owned(), "all".to_owned(), "all".to_owned());
    // By default Asterisk drops a client that does not read for 100 ms. On a busy machine
    // that would hit a client that does read.
    for (name, read, write) in std::iter::once(&admin).chain(&builder.ami_users) {
        text.push_str(&format!(
            "\n[{name}]\nsecret = {SECRET}\nread = {read}\nwrite = {write}\n\
             writetimeout = 60000\n"
        ));
    }
    text
}

pub(super) fn extensions(builder: &Builder) -> String {
    let mut text = "[general]\nstatic = yes\nwriteprotect = yes\n".to_owned();
    // The far end of a call without a phone, and the agents of queues.
    text.push_str("\n[harness]\nexten = wait,1,Answer()\n same = n,Wait(600)\n");
    text.push_str("\n[agents]\nexten = _[0-9a-z]!,1,Answer()\n same = n,Wait(600)\n");
    text.push_str("\n[default]\n");
    for (extension, hint) in &builder.hints {
        text.push_str(&format!("exten = {extension},hint,{hint}\n"));
    }
    text.push_str(&builder.dialplan);
    text
}

/// An endpoint without a password, which may subscribe, for the watcher and for every
/// name given to the builder.
pub(super) fn pjsip(ports: Ports, builder: &Builder) -> String {
    let mut text = format!(
        "[global]\n\
         type = global\n\
         endpoint_identifier_order = username,ip\n\
         \n\
         [transport]\n\
         type = transport\n\
         protocol = udp\n\
         bind = 127.0.0.1:{}\n",
        ports.sip
    );
    if builder.forgetful {
        text.push_str("\n[system]\ntype = system\ntimer_t1 = 100\ntimer_b = 6400\n");
    }
    let names = builder.endpoints.iter().map(String::as_str);
    for name in std::iter::once(WATCHER).chain(names) {
        text.push_str(&format!(
            "\n[{name}]\n\
             type = endpoint\n\
             transport = transport\n\
             context = default\n\
             allow_subscribe = yes\n\
             disallow = all\n\
             allow = ulaw\n\
             direct_media = no\n\
             aors = {name}\n\
             incoming_mwi_mailbox = {name}@default\n\
             \n\
             [{name}]\n\
             type = aor\n\
             max_contacts = 1\n\
             remove_existing = yes\n"
        ));
    }
    text
}

pub(super) fn http(ports: Ports, builder: &Builder) -> String {
    let enabled = if builder.http { "yes" } else { "no" };
    // The calendars are fetched from this server.
    let files = if builder.calendars.is_empty() {
        "no"
    } else {
        "yes"
    };
    format!(
        "[general]\nenabled = {enabled}\nenable_static = {files}\nbindaddr = 127.0.0.1\nbindport = {}\nsessionlimit = {}\n",
        ports.http, builder.http_sessions
    )
}

pub(super) fn ari() -> String {
    format!(
        "[general]\nenabled = yes\n\n[{ADMIN}]\ntype = user\nread_only = no\npassword = {SECRET}\n"
    )
}

/// Files without which Asterisk complains, with their minimal content: the log then has
/// only complaints that a test caused.
pub(super) const QUIET: &[(&str, &str)] = &[
    ("acl.conf", ""),
    ("ccss.conf", "[general]\n"),
    ("cdr.conf", "[general]\nenable = no\n"),
    ("cel.conf", "[general]\nenable = no\n"),
    ("features.conf", "[general]\n"),
    (
        "indications.conf",
        "[general]\ncountry = us\n\n[us]\ndescription = minimal\ndial = 350+440\n",
    ),
    ("pjproject.conf", ""),
    // Above the ports on which tests listen.
    ("rtp.conf", "[general]\nrtpstart = 30000\nrtpend = 32700\n"),
    ("udptl.conf", "[general]\n"),
    ("websocket_client.conf", ""),
];
