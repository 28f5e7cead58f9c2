//! What an answer that reports an error means.

use presence::config::Cluster;

use super::EtcdError;
use super::error::Failure;
use super::wire::ErrorAnswer;

/// The most characters of a message that are shown.
const LONGEST: usize = 300;

/// gRPC's codes, as the JSON gateway passes them on.
mod code {
    pub const INVALID_ARGUMENT: i64 = 3;
    pub const NOT_FOUND: i64 = 5;
    pub const PERMISSION_DENIED: i64 = 7;
    pub const RESOURCE_EXHAUSTED: i64 = 8;
    pub const FAILED_PRECONDITION: i64 = 9;
    pub const OUT_OF_RANGE: i64 = 11;
    pub const UNIMPLEMENTED: i64 = 12;
    pub const UNAUTHENTICATED: i64 = 16;
}

/// Whether the answer says that etcd needs no users.
pub(super) fn is_without_users(body: &[u8]) -> bool {
    let (code, message) = parts(body);
    code == code::FAILED_PRECONDITION && message.contains("not enabled")
}

/// What a body with another status than success means. `revision` is the one asked for.
pub(super) fn failure(
    settings: &Cluster,
    server: &str,
    status: u32,
    body: &[u8],
    revision: i64,
) -> Failure {
    match parts(body) {
        (code::NOT_FOUND | code::UNIMPLEMENTED, message) if !message.contains("etcdserver") => {
            without_gateway(server)
        }
        (_, message) if message.is_empty() => foreign(server, status, body),
        (code, message) => meaning(settings, server, code, &message, revision),
    }
}

/// What the reason of a watch's end means, such as `rpc error: code = PermissionDenied desc =
/// etcdserver: permission denied`.
pub(super) fn canceled(settings: &Cluster, server: &str, reason: &str, revision: i64) -> Failure {
    let (code, message) = reason.split_once(" desc = ").unwrap_or(("", reason));
    let code = match code.rsplit(' ').next() {
        Some("InvalidArgument") => code::INVALID_ARGUMENT,
        Some("PermissionDenied") => code::PERMISSION_DENIED,
        Some("Unauthenticated") => code::UNAUTHENTICATED,
        _ if message.contains("permission denied") => code::PERMISSION_DENIED,
        _ => 0,
    };
    meaning(settings, server, code, message, revision)
}

/// What a code and a message of etcd mean.
fn meaning(settings: &Cluster, server: &str, code: i64, message: &str, revision: i64) -> Failure {
    let user = settings.username.as_deref().unwrap_or_default();
    let message = message.trim_start_matches("etcdserver: ");
    let refused = |why: String| Failure::Final(EtcdError::Refused(why));
    match code {
        code::UNAUTHENTICATED => Failure::Token(format!("etcd at {server}: {message}")),
        code::INVALID_ARGUMENT if message.contains("auth store is old") => {
            Failure::Token(format!("etcd at {server}: {message}"))
        }
        code::INVALID_ARGUMENT if message.contains("user name is empty") => match user {
            "" => refused(format!(
                "etcd at {server} requires a user and a password: set 'username' and 'password'"
            )),
            _ => Failure::Token(format!("etcd at {server}: {message}")),
        },
        code::INVALID_ARGUMENT if message.contains("authentication failed") => refused(format!(
            "etcd at {server} does not accept the password of the user '{user}'"
        )),
        code::PERMISSION_DENIED => refused(format!(
            "etcd at {server} does not let the user '{user}' read and write the keys below '{}'",
            settings.prefix
        )),
        code::NOT_FOUND if message.contains("lease not found") => {
            Failure::Final(EtcdError::LeaseEnded)
        }
        code::OUT_OF_RANGE if message.contains("required revision") => {
            Failure::Final(EtcdError::Compacted(revision))
        }
        code::RESOURCE_EXHAUSTED if message.contains("space") => refused(format!(
            "etcd at {server} has no space left and accepts no changes: {message}"
        )),
        code::INVALID_ARGUMENT | code::FAILED_PRECONDITION => {
            refused(format!("etcd at {server} refuses a request: {message}"))
        }
        _ if message.contains("no leader") => Failure::Next(EtcdError::NoLeader),
        // The gateway is a client of the member that it belongs to.
        _ if server.starts_with("https:") && is_about_connection(message) => {
            Failure::Next(EtcdError::Unreachable(format!(
                "the JSON gateway of etcd at {server} does not reach its own member, whose \
                 certificate has to be valid for clients too if clients need one: {message}"
            )))
        }
        _ => Failure::Next(EtcdError::Unreachable(format!(
            "etcd at {server} cannot answer: {message}"
        ))),
    }
}

fn is_about_connection(message: &str) -> bool {
    [
        "connection error",
        "connection closed",
        "network connection",
    ]
    .iter()
    .any(|part| message.contains(part))
}

fn parts(body: &[u8]) -> (i64, String) {
    let answer: Result<ErrorAnswer, _> = serde_json::from_slice(body);
    let (code, message) = answer.unwrap_or_default().parts();
    (code, message.chars().take(LONGEST).collect())
}

/// An answer that is none of etcd's errors.
fn foreign(server: &str, status: u32, body: &[u8]) -> Failure {
    let text = String::from_utf8_lossy(body.get(..200).unwrap_or(body));
    if text.contains("HTTP request to an HTTPS server") {
        return Failure::Next(EtcdError::Refused(format!(
            "etcd at {server} speaks TLS: its address has to begin with https://"
        )));
    }
    if text.contains("CommonName") {
        return Failure::Next(EtcdError::Refused(format!(
            "etcd at {server} has users, and then accepts no client certificate with a common \
             name (CN) for JSON: set a 'certificate_file' whose subject has none"
        )));
    }
    match status {
        404 => without_gateway(server),
        500 | 502.. => Failure::Next(EtcdError::Unreachable(format!(
            "{server} answers with HTTP status {status}"
        ))),
        _ => no_etcd(server),
    }
}

fn without_gateway(server: &str) -> Failure {
    Failure::Next(EtcdError::Refused(format!(
        "{server} is no etcd, or one without its JSON gateway (--enable-grpc-gateway)"
    )))
}

/// An answer that is none of etcd's.
pub(super) fn no_etcd(server: &str) -> Failure {
    Failure::Next(EtcdError::Refused(format!(
        "{server} is no etcd: its answer is none of etcd's"
    )))
}
