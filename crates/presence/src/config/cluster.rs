//! The section of `type = cluster`: the etcd through which servers share their users.

use std::sync::Arc;
use std::time::Duration;

use super::reader::{Given, OptionSpec, OptionTable, SectionReader};
use super::section::{Origin, Problem};
use super::sorted::Sections;
use super::url::{self, Secret};
use super::value::{self, unexpected};

/// What the keys of a cluster begin with, where nothing else is configured.
const PREFIX: &str = "/userpresence/";

/// The most bytes of a prefix.
const LONGEST_PREFIX: usize = 100;

/// The most servers of etcd.
const MAX_SERVERS: usize = 16;

/// The form of a server's address.
const SERVERS: &str = "the addresses of etcd's servers such as https://etcd1.example.com:2379";

/// The etcd through which servers share their users, and this server's name there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cluster {
    /// The addresses of etcd's servers, such as `https://etcd1.example.com:2379`: scheme, host
    /// and port. There is at least one.
    pub servers: Vec<Box<str>>,
    /// This server's name among the nodes, in small letters.
    pub node: Arc<str>,
    /// What every key begins with; begins and ends with `/`.
    pub prefix: Arc<str>,
    /// How long a node is silent before it counts as gone, 3 to 300 seconds.
    pub node_timeout: Duration,
    /// A file of authorities' certificates (PEM) that are trusted besides the system's own.
    pub ca_file: Option<Box<str>>,
    /// A file with this node's certificate (PEM), together with [`Self::key_file`].
    pub certificate_file: Option<Box<str>>,
    /// A file with the private key of the certificate (PEM).
    pub key_file: Option<Box<str>>,
    /// The user of etcd, together with [`Self::password`].
    pub username: Option<Box<str>>,
    /// The user's password.
    pub password: Option<Secret>,
}

/// The section while it is read.
#[derive(Default)]
pub(super) struct ClusterDraft {
    servers: Vec<Box<str>>,
    node: Arc<str>,
    prefix: Arc<str>,
    /// In seconds.
    node_timeout: u32,
    ca_file: Option<Box<str>>,
    certificate_file: Option<Box<str>>,
    key_file: Option<Box<str>>,
    username: Option<Box<str>>,
    password: Option<Secret>,
}

impl OptionTable for ClusterDraft {
    fn options() -> impl Iterator<Item = &'static OptionSpec<Self>> {
        const OPTIONS: &[OptionSpec<ClusterDraft>] = &[
            OptionSpec::TYPE,
            OptionSpec::new("servers", |it, given| it.add_servers(given)),
            OptionSpec::new("node", |it, given| {
                node_name(given.value).map(|name| it.node = name)
            }),
            OptionSpec::new("prefix", |it, given| {
                prefix(given.value).map(|prefix| it.prefix = prefix)
            }),
            OptionSpec::new("node_timeout", |it, given| {
                given
                    .number(3, 300, "seconds")
                    .map(|time| it.node_timeout = time)
            }),
            OptionSpec::new("ca_file", |it, given| {
                value::pem_file(given.value, "certificates").map(|file| it.ca_file = file)
            }),
            OptionSpec::new("certificate_file", |it, given| {
                value::pem_file(given.value, "certificates").map(|file| it.certificate_file = file)
            }),
            OptionSpec::new("key_file", |it, given| {
                value::pem_file(given.value, "a private key").map(|file| it.key_file = file)
            }),
            OptionSpec::new("username", |it, given| {
                let given = given.value;
                it.username = (!given.is_empty()).then(|| given.into());
                Ok(())
            }),
            OptionSpec::new("password", |it, given| {
                let given = given.value;
                it.password = (!given.is_empty()).then(|| Secret(given.into()));
                Ok(())
            }),
        ];
        OPTIONS.iter()
    }
}

impl ClusterDraft {
    /// Adds the servers of a list.
    fn add_servers(&mut self, given: &Given<'_>) -> Result<(), String> {
        given.repeats();
        for server in given.words() {
            let server =
                url::server(server).map_err(|what| format!("{what}, expected {SERVERS}"))?;
            if self.servers.contains(&server) {
                return Err(format!(
                    "'{server}' is there twice, expected each server once"
                ));
            }
            self.servers.push(server);
        }
        match self.servers.len() {
            0 => Err(format!("it names no server, expected {SERVERS}")),
            1..=MAX_SERVERS => Ok(()),
            many => Err(format!(
                "there are {many} servers, expected at most {MAX_SERVERS}"
            )),
        }
    }
}

/// Reads the section, of which there is at most one. `host_name` is the node's name where none
/// is configured.
pub(super) fn parse(
    sections: &Sections<'_>,
    host_name: &str,
    errors: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) -> Option<Arc<Cluster>> {
    let mut found = None;
    for (at, (_, section)) in sections.iter().enumerate() {
        let mut reader = SectionReader::new(Origin::File, section);
        if at > 0 {
            let first = sections.first().map_or("", |(_, first)| &first.name);
            reader.error(format!(
                "there is another section of type = cluster, [{first}], expected at most one"
            ));
        } else {
            found = read(&mut reader, host_name).map(Arc::new);
        }
        reader.finish(errors, warnings);
    }
    found
}

fn read(reader: &mut SectionReader<'_>, host_name: &str) -> Option<Cluster> {
    let mut draft = ClusterDraft {
        prefix: PREFIX.into(),
        node_timeout: 10,
        ..ClusterDraft::default()
    };
    reader.check_name("the name of a section");
    reader.read(&mut draft);
    reader.require("servers", SERVERS);
    if !reader.has("node") {
        match node_name(host_name) {
            Ok(name) => draft.node = name,
            Err(why) => reader.error(format!(
                "the option 'node' is missing, and the host's name is no name of a node: {why}"
            )),
        }
    }
    let pairs = [
        ("certificate_file", draft.certificate_file.is_some()),
        ("key_file", draft.key_file.is_some()),
        ("username", draft.username.is_some()),
        ("password", draft.password.is_some()),
    ];
    for [one, other] in [[pairs[0], pairs[1]], [pairs[2], pairs[3]]] {
        let (has, lacks) = match (one.1, other.1) {
            (true, false) => (one.0, other.0),
            (false, true) => (other.0, one.0),
            _ => continue,
        };
        reader.error_at(
            has,
            format!("there is no '{lacks}', expected both or neither of them"),
        );
    }
    if draft.password.is_some() && draft.servers.iter().any(|server| is_in_clear(server)) {
        let why = "it goes over the network unencrypted to servers of http://";
        reader.warn_at("password", why);
    }
    if !draft
        .servers
        .iter()
        .any(|server| server.starts_with("https:"))
    {
        for (option, is_given) in [
            ("ca_file", draft.ca_file.is_some()),
            ("certificate_file", draft.certificate_file.is_some()),
        ] {
            if is_given {
                reader.warn_at(option, "it is used with servers of https:// alone");
            }
        }
    }
    reader.is_clean().then_some(Cluster {
        servers: draft.servers,
        node: draft.node,
        prefix: draft.prefix,
        node_timeout: Duration::from_secs(draft.node_timeout.into()),
        ca_file: draft.ca_file,
        certificate_file: draft.certificate_file,
        key_file: draft.key_file,
        username: draft.username,
        password: draft.password,
    })
}

/// Whether what is sent there crosses a network unencrypted.
fn is_in_clear(server: &str) -> bool {
    let host = server
        .strip_prefix("http://")
        .map(|rest| match rest.rsplit_once(':') {
            Some((host, _)) => host,
            None => rest,
        });
    host.is_some_and(|host| !host.starts_with("127.") && !matches!(host, "localhost" | "[::1]"))
}

/// The name of a node, in small letters.
///
/// # Errors
/// When the text is no name.
pub(super) fn node_name(given: &str) -> Result<Arc<str>, String> {
    value::name(given, "a node's name")?;
    Ok(given.to_ascii_lowercase().into())
}

/// Whether the text is a node's name as nodes write it.
pub fn is_node_name(text: &str) -> bool {
    node_name(text).is_ok_and(|name| *name == *text)
}

/// The prefix of keys.
fn prefix(given: &str) -> Result<Arc<str>, String> {
    let inside = given
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix('/'));
    let good = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic());
    let is_good = inside.is_some_and(|inside| inside.split('/').all(good));
    match is_good && given.len() <= LONGEST_PREFIX {
        true => Ok(given.into()),
        false => Err(unexpected(
            given,
            &format!(
                "what keys begin with: a text such as {PREFIX} that begins and ends with '/', of \
                 at most {LONGEST_PREFIX} characters without blanks"
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::parsed;
    use super::*;

    const ETCD: &str = "[etcd]\ntype=cluster\nservers=http://127.0.0.1:2379\n";

    fn errors(text: &str) -> Vec<String> {
        let parsed = parsed(text);
        parsed.all_errors().map(ToString::to_string).collect()
    }

    fn cluster(text: &str) -> Arc<Cluster> {
        assert_eq!(errors(text), [""; 0]);
        parsed(text).settings.cluster.unwrap()
    }

    #[test]
    fn without_a_section_there_is_no_cluster() {
        assert_eq!(parsed("").settings.cluster, None);
    }

    #[test]
    fn an_option_that_is_not_given_has_a_default() {
        let cluster = cluster(ETCD);
        assert_eq!(cluster.servers, ["http://127.0.0.1:2379".into()]);
        assert_eq!(
            (&*cluster.node, &*cluster.prefix),
            ("host", "/userpresence/")
        );
        assert_eq!(cluster.node_timeout, Duration::from_secs(10));
        assert_eq!((&cluster.ca_file, &cluster.username), (&None, &None));
    }

    #[test]
    fn every_option_is_read_and_no_secret_is_shown() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let text = format!(
            "[etcd]\ntype=cluster\nservers=https://E1:2379/ , https://[::1]:2379\n\
             servers=https://e3:1\nnode=Berlin-1.example\nprefix=/a/b/\nnode_timeout=3\n\
             ca_file={file}\ncertificate_file={file}\nkey_file={file}\nusername=joe\n\
             password=geheim\n"
        );
        let cluster = cluster(&text);
        let servers = ["https://e1:2379", "https://[::1]:2379", "https://e3:1"];
        assert!(cluster.servers.iter().map(|server| &**server).eq(servers));
        assert_eq!(
            (&*cluster.node, &*cluster.prefix),
            ("berlin-1.example", "/a/b/")
        );
        assert_eq!(cluster.node_timeout, Duration::from_secs(3));
        assert_eq!(cluster.key_file.as_deref(), Some(file));
        assert_eq!(cluster.password.as_ref().map(Secret::text), Some("geheim"));
        assert!(!format!("{cluster:?}").contains("geheim"));
        assert!(parsed(&text).warnings.is_empty());
    }

    #[test]
    fn every_error_names_what_was_expected_and_no_secret() {
        let cases = [
            (
                "servers=127.0.0.1:2379",
                "it is not scheme, host and port alone, expected",
            ),
            (
                "servers=https://joe:geheim@e1:2379",
                "it has a user or a password",
            ),
            (
                "servers=https://e1",
                "it names no port, expected the addresses of etcd",
            ),
            ("servers=https://[::1]", "it names no port"),
            ("servers=https://e1:2379/v3", "scheme, host and port alone"),
            ("servers=http://127.0.0.1:2379", "expected each server once"),
            (
                "node=my node",
                "'my node' is not a node's name, expected 1 to 60",
            ),
            ("prefix=/", "'/', expected what keys begin with"),
            ("prefix=a/", "begins and ends with '/'"),
            ("prefix=/a", "begins and ends with '/'"),
            ("prefix=/a//b/", "begins and ends with '/'"),
            ("prefix=/a b/", "without blanks"),
            (
                "node_timeout=2",
                "'2', expected a whole number of seconds from 3 to 300",
            ),
            (
                "ca_file=/no/such",
                "expected the path of a readable file of certificates (PEM)",
            ),
            (
                "key_file=/",
                "'/' is not a file, expected the path of a readable file of a private",
            ),
            (
                "username=joe",
                "option 'username': there is no 'password', expected both",
            ),
            (
                "password=geheim",
                "option 'password': there is no 'username', expected both",
            ),
            (
                "certificate_file=/etc/passwd",
                "there is no 'key_file', expected both or neither",
            ),
            ("timeout=3", "unknown option"),
        ];
        for (wrong, expected) in cases {
            let errors = errors(&format!("{ETCD}{wrong}\n"));
            assert_eq!(errors.len(), 1, "{wrong}: {errors:?}");
            let error = &errors[0];
            assert!(error.starts_with("userpresence.conf:"), "{error}");
            assert!(error.contains("section [etcd]"), "{error}");
            assert!(error.contains(expected), "{wrong}: {error}");
            assert!(!error.contains("geheim"), "{error}");
        }
    }

    #[test]
    fn there_is_one_section_with_a_server() {
        let twice = errors(&format!("{ETCD}[other]\ntype=cluster\n"));
        assert_eq!(twice.len(), 1, "{twice:?}");
        assert!(twice[0].contains("there is another section of type = cluster, [etcd]"));
        let none = errors("[etcd]\ntype=cluster\n");
        assert!(none[0].contains("the option 'servers' is missing, expected the addresses"));
        let empty = errors("[etcd]\ntype=cluster\nservers=\n");
        assert!(empty[0].contains("it names no server, expected the addresses"));
    }

    #[test]
    fn a_host_without_a_fitting_name_needs_the_option() {
        let sections = super::super::testing::sections(ETCD);
        let parsed = super::super::parse(&sections, &[], "", &|_| true);
        let error = parsed.errors[0].to_string();
        assert!(
            error.contains("the option 'node' is missing, and the host's name"),
            "{error}"
        );
    }

    #[test]
    fn a_password_that_crosses_a_network_in_clear_has_a_warning() {
        for (server, warns) in [
            ("http://127.0.0.1:2379", false),
            ("http://localhost:1", false),
            ("http://[::1]:1", false),
            ("https://e1:1", false),
            ("https://e1:1,http://e2:1", true),
        ] {
            let text =
                format!("[etcd]\ntype=cluster\nservers={server}\nusername=joe\npassword=geheim\n");
            let warnings = parsed(&text).warnings;
            assert_eq!(warnings.len(), usize::from(warns), "{server}");
            let warning = warnings.iter().map(ToString::to_string).collect::<String>();
            assert_eq!(warning.contains("unencrypted"), warns, "{warning}");
            assert!(!warning.contains("geheim"));
        }
    }

    #[test]
    fn files_without_tls_have_a_warning() {
        let parsed = parsed(&format!("{ETCD}ca_file=/etc/passwd\n"));
        assert!(parsed.settings.cluster.is_some());
        let warning = parsed.warnings[0].to_string();
        assert!(
            warning.contains("it is used with servers of https:// alone"),
            "{warning}"
        );
    }
}
