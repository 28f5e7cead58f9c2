//! HTTP with libcurl: one request after the other over one connection, cancelled on stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use curl::easy::{Easy2, Handler, HttpVersion, List, WriteError};
use curl::multi::Multi;
use presence::config::Cluster;

use super::error::Failure;
use super::{EtcdError, connecting_time};

/// The interval of checks whether to stop.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// The most bytes of one answer, and of one message of a stream.
pub(super) const LONGEST: usize = 64 * 1024 * 1024;

/// What is sent.
pub(super) struct EtcdRequest<'a> {
    /// Scheme, host and port.
    pub server: &'a str,
    pub path: &'a str,
    /// JSON; `None` for a GET.
    pub body: Option<&'a str>,
    pub token: Option<&'a str>,
    /// How long the answer may take.
    pub time: Duration,
}

/// The status and the body of an answer.
pub(super) struct HttpAnswer {
    pub status: u32,
    pub body: Vec<u8>,
}

impl HttpAnswer {
    /// Whether the status says that it worked.
    pub(super) fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// A transfer of this request, which keeps its connection alive.
pub(super) fn transfer<H: Handler>(
    settings: &Cluster,
    request: &EtcdRequest<'_>,
    handler: H,
) -> Result<Easy2<H>, curl::Error> {
    let mut headers = List::new();
    headers.append("Content-Type: application/json")?;
    // A member without a leader answers so at once, and ends its streams.
    headers.append("Grpc-Metadata-hasleader: true")?;
    if let Some(token) = request.token {
        headers.append(&format!("Authorization: {token}"))?;
    }
    // Without `Expect: 100-continue`, which would cost a round trip.
    headers.append("Expect:")?;
    let mut easy = Easy2::new(handler);
    easy.url(&format!("{}{}", request.server, request.path))?;
    if let Some(body) = request.body {
        easy.post(true)?;
        easy.post_fields_copy(body.as_bytes())?;
    }
    easy.http_headers(headers)?;
    easy.http_version(HttpVersion::V11)?;
    easy.useragent(concat!("res_userpresence/", env!("CARGO_PKG_VERSION")))?;
    easy.connect_timeout(connecting_time(settings.node_timeout))?;
    easy.follow_location(false)?;
    easy.tcp_nodelay(true)?;
    easy.tcp_keepalive(true)?;
    easy.tcp_keepidle(settings.node_timeout / 3)?;
    easy.tcp_keepintvl(settings.node_timeout / 3)?;
    // Only the configuration decides where requests go: proxies in the environment are meant
    // for other programs.
    easy.proxy("")?;
    easy.ssl_verify_peer(true)?;
    easy.ssl_verify_host(true)?;
    if let Some(file) = &settings.ca_file {
        easy.cainfo(&**file)?;
    }
    if let Some(file) = &settings.certificate_file {
        easy.ssl_cert(&**file)?;
    }
    if let Some(file) = &settings.key_file {
        easy.ssl_key(&**file)?;
    }
    Ok(easy)
}

/// Connections that are kept for the next request.
pub(super) struct HttpConnection(Option<Multi>);

impl HttpConnection {
    /// Without a connection.
    pub(super) fn new() -> Self {
        HttpConnection(None)
    }

    /// Sends a request and waits for its answer, whatever its status is.
    pub(super) fn send(
        &mut self,
        settings: &Cluster,
        request: &EtcdRequest<'_>,
        stop: &AtomicBool,
    ) -> Result<HttpAnswer, Failure> {
        let sent = self.try_send(settings, request, stop);
        if sent.is_err() {
            // What became of the connection is not known.
            self.0 = None;
        }
        sent
    }

    fn try_send(
        &mut self,
        settings: &Cluster,
        request: &EtcdRequest<'_>,
        stop: &AtomicBool,
    ) -> Result<HttpAnswer, Failure> {
        let failed = |why: &curl::Error| explain(settings, request.server, why);
        let general = |why: curl::MultiError| {
            let why = format!("no request to etcd at {}: {why}", request.server);
            Failure::Next(EtcdError::Unreachable(why))
        };
        let multi = self.0.get_or_insert_with(Multi::new);
        let mut easy =
            transfer(settings, request, AnswerBody::default()).map_err(|why| failed(&why))?;
        easy.timeout(request.time).map_err(|why| failed(&why))?;
        let mut handle = multi.add2(easy).map_err(general)?;
        loop {
            let left = multi.perform().map_err(general)?;
            if stop.load(Ordering::Acquire) {
                return Err(Failure::Final(EtcdError::Stopped));
            }
            if left == 0 {
                break;
            }
            multi.poll(&mut [], LOOK).map_err(general)?;
        }
        let mut result = None;
        multi.messages(|message| {
            if let Some(found) = message.result_for2(&handle) {
                result = Some(found);
            }
        });
        match result {
            Some(Ok(())) => {}
            Some(Err(_)) if handle.get_ref().0.len() >= LONGEST => {
                let why = format!("the answer of {} is too long", request.server);
                return Err(Failure::Next(EtcdError::Refused(why)));
            }
            Some(Err(why)) => return Err(failed(&why)),
            None => {
                let why = format!("the request to etcd at {} ended early", request.server);
                return Err(Failure::Next(EtcdError::Unreachable(why)));
            }
        }
        Ok(HttpAnswer {
            status: handle.response_code().unwrap_or(0),
            body: std::mem::take(&mut handle.get_mut().0),
        })
    }
}

/// The body of an answer.
#[derive(Default)]
struct AnswerBody(Vec<u8>);

impl Handler for AnswerBody {
    fn write(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        if self.0.len() + data.len() > LONGEST {
            self.0.resize(LONGEST, 0);
            // Accepting less than was offered ends the transfer.
            return Ok(0);
        }
        self.0.extend_from_slice(data);
        Ok(data.len())
    }
}

/// What a failed transfer means.
pub(super) fn explain(settings: &Cluster, server: &str, why: &curl::Error) -> Failure {
    let text = why.extra_description().map(str::trim);
    let text = text
        .filter(|text| !text.is_empty())
        .unwrap_or(why.description());
    let lower = text.to_ascii_lowercase();
    let has = |part: &str| lower.contains(part);
    let refused = |why: String| Failure::Next(EtcdError::Refused(why));
    if why.is_ssl_cacert_badfile() {
        let file = settings.ca_file.as_deref().unwrap_or_default();
        refused(format!(
            "'{file}' (ca_file) cannot be read as certificates: {text}"
        ))
    } else if why.is_ssl_certproblem() {
        let certificate = settings.certificate_file.as_deref().unwrap_or_default();
        let key = settings.key_file.as_deref().unwrap_or_default();
        refused(format!(
            "'{certificate}' (certificate_file) and '{key}' (key_file) cannot be used \
             together: {text}"
        ))
    } else if why.is_peer_failed_verification() || why.is_ssl_cacert() {
        let is_for_another = has("subject name") || has("does not match");
        refused(match (is_for_another, &settings.ca_file) {
            (true, _) => format!("the certificate of etcd at {server} is for another host: {text}"),
            (false, Some(file)) => format!(
                "the certificate of etcd at {server} is not trusted with '{file}' (ca_file): {text}"
            ),
            (false, None) => format!(
                "the certificate of etcd at {server} is not trusted: {text}; set 'ca_file' to \
                 the authority that has signed it"
            ),
        })
    } else if has("certificate required") || has("bad certificate") || has("unknown ca") {
        refused(match &settings.certificate_file {
            None => format!(
                "etcd at {server} requires a client certificate: set 'certificate_file' and \
                 'key_file'"
            ),
            Some(file) => format!("etcd at {server} does not accept the certificate in '{file}'"),
        })
    } else if why.is_ssl_connect_error() && (has("wrong version number") || has("packet length")) {
        refused(format!(
            "{server} speaks no TLS: its address has to begin with http://"
        ))
    } else if why.is_unsupported_protocol() {
        super::answer::no_etcd(server)
    } else {
        let is_timeout = why.is_operation_timedout();
        let what = if is_timeout {
            "does not answer"
        } else {
            "is not reachable"
        };
        // A server that expects the other scheme hangs up.
        let hint = match server.starts_with("http://") {
            true if why.is_got_nothing() => " (if it speaks TLS, its address begins with https://)",
            false if why.is_ssl_connect_error() => {
                " (if it speaks no TLS, its address begins with http://)"
            }
            _ => "",
        };
        Failure::Next(EtcdError::Unreachable(format!(
            "etcd at {server} {what}: {text}{hint}"
        )))
    }
}
