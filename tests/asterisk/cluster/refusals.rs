//! First use: each mistake in the section of the cluster has one clear message, however often
//! the node tries again, and the users work all the same.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::conf;
use crate::harness::cluster::TIMEOUT;
use crate::harness::etcd::EtcdCluster;
use crate::harness::users::{complaints, set};
use crate::harness::{Instance, wait_until};

/// A server that answers every request in the same way, and counts the connections.
struct Fake {
    port: u16,
    asked: Arc<AtomicUsize>,
}

impl Fake {
    fn start(status: &'static str, body: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::Relaxed);
                let _ = answer(&stream, status, body);
            }
        });
        Fake { port, asked }
    }

    fn server(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn answer(stream: &TcpStream, status: &str, body: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line)? > 2 {
        let lower = line.to_ascii_lowercase();
        if let Some(given) = lower.strip_prefix("content-length:") {
            length = given.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    std::io::copy(
        &mut std::io::Read::take(&mut reader, length),
        &mut std::io::sink(),
    )?;
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}

fn section(lines: &str) -> String {
    format!("{}[etcd]\ntype = cluster\nnode = a\n{lines}\n", conf())
}

/// The number of failures so far.
#[track_caller]
fn failures(ast: &Instance) -> u32 {
    let shown = ast.cli("userpresence show cluster");
    let number = shown.lines().find_map(|line| {
        let line = line.strip_prefix("Counts:")?.strip_suffix(" failures")?;
        line.rsplit(' ').next()?.parse().ok()
    });
    number.unwrap_or_else(|| panic!("no failures in\n{shown}"))
}

/// Configures each section in turn and asserts that it has exactly one complaint, with these
/// texts, while the node tries again.
#[track_caller]
fn each_has_one_message(cases: &[(&str, String, &[&str])]) {
    let ast = Instance::builder().userpresence(&conf()).start();
    let mut known = 0;
    for (what, lines, expected) in cases {
        ast.write_config("userpresence.conf", &section(lines));
        assert!(ast.reload().ok(), "{what}");
        let new = || complaints(&ast, "cluster").split_off(known);
        wait_until(&format!("a message for {what}"), || {
            (!new().is_empty()).then_some(())
        });
        // It tries again.
        let failed = failures(&ast);
        wait_until("another try", || (failures(&ast) > failed).then_some(()));
        let new = new();
        assert_eq!(new.len(), 1, "{what}: {new:#?}");
        println!("{what}: {}", new[0]);
        for text in *expected {
            assert!(new[0].contains(text), "{what}: {text:?} in {:?}", new[0]);
        }
        assert!(!new[0].contains("geheim"), "{}", new[0]);
        known += 1;
        set(&ast, "carol", &format!("away,,{known}"));
        assert_eq!(
            ast.getvar("USER_PRESENCE(carol,message)"),
            known.to_string()
        );
        let shown = ast.cli("userpresence show cluster");
        assert!(!shown.contains("joined"), "{what}: {shown}");
    }
}

#[test]
fn a_server_that_is_no_etcd_has_one_message() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = free.local_addr().expect("an address");
    drop(free);
    let old = Fake::start("200 OK", r#"{"etcdserver":"3.3.25","etcdcluster":"3.3.0"}"#);
    let other = Fake::start("404 Not Found", "404 page not found\n");
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = silent.local_addr().expect("an address");
    each_has_one_message(&[
        (
            "nobody there",
            format!("servers = http://{nobody}"),
            &["goes on alone"],
        ),
        (
            "an old release",
            format!("servers = {}", old.server()),
            &["3.3.25", "3.4"],
        ),
        (
            "another server",
            format!("servers = {}", other.server()),
            &[&other.server()],
        ),
        (
            "a server that is silent",
            format!("servers = http://{silent}\nnode_timeout = {TIMEOUT}"),
            &["alone"],
        ),
    ]);
    assert!(
        old.asked.load(Ordering::Relaxed) > 1,
        "the node does not try again"
    );
}

#[test]
fn wrong_certificates_have_one_message() {
    let etcd = EtcdCluster::builder(1).client_certificates().start();
    let files = etcd.certificates();
    let (certificate, key) = &files.client;
    let own = format!(
        "certificate_file = {}\nkey_file = {}\n",
        certificate.display(),
        key.display()
    );
    let servers = format!("servers = {}\n", etcd.servers());
    let ca = format!("ca_file = {}\n", files.ca.display());
    let other = format!("ca_file = {}\n", files.other_ca.display());
    let plain = servers.replace("https:", "http:");
    each_has_one_message(&[
        (
            "a wrong authority",
            format!("{servers}{other}{own}"),
            &["certificate"],
        ),
        ("no authority", format!("{servers}{own}"), &["certificate"]),
        ("no certificate", format!("{servers}{ca}"), &["certificate"]),
        ("no TLS", plain, &["127.0.0.1"]),
    ]);
}

#[test]
fn wrong_credentials_have_one_message_and_right_ones_join() {
    let etcd = EtcdCluster::builder(1)
        .client_certificates()
        .user("asterisk", "geheim", "/userpresence/")
        .start();
    let files = etcd.certificates();
    let (certificate, key) = &files.client;
    let tls = format!(
        "servers = {}\nca_file = {}\ncertificate_file = {}\nkey_file = {}\n",
        etcd.servers(),
        files.ca.display(),
        certificate.display(),
        key.display()
    );
    let named = &files.named_client;
    let login =
        |user: &str, password: &str| format!("{tls}username = {user}\npassword = {password}\n");
    each_has_one_message(&[
        (
            "a wrong password",
            login("asterisk", "geheimer"),
            &["asterisk"],
        ),
        ("an unknown user", login("nobody", "geheim"), &["nobody"]),
        ("no user", tls.clone(), &["username"]),
        (
            "a certificate with a name",
            login("asterisk", "geheim")
                .replace(
                    &files.client.0.display().to_string(),
                    &named.0.display().to_string(),
                )
                .replace(
                    &files.client.1.display().to_string(),
                    &named.1.display().to_string(),
                ),
            &["common name"],
        ),
        (
            "a prefix that is not allowed",
            format!("{}prefix = /elsewhere/\n", login("asterisk", "geheim")),
            &["/elsewhere/"],
        ),
    ]);
    // With everything right.
    let text = section(&login("asterisk", "geheim"));
    let right = Instance::builder().userpresence(&text).start();
    right.wait_log("Joined the cluster");
    assert_eq!(complaints(&right, "userpresence"), Vec::<String>::new());
}

#[test]
fn an_etcd_without_its_json_gateway_has_one_message() {
    let etcd = EtcdCluster::builder(1)
        .argument("--enable-grpc-gateway=false")
        .start();
    let servers = format!("servers = {}\n", etcd.servers());
    each_has_one_message(&[("no gateway", servers, &["--enable-grpc-gateway"])]);
}

/// etcd forgets a login that was not used for a while, and every login when it starts.
#[test]
fn a_login_that_etcd_forgets_is_renewed() {
    let etcd = EtcdCluster::builder(1)
        .user("asterisk", "geheim", "/userpresence/")
        .argument("--auth-token-ttl=1")
        .start();
    let ast = Instance::builder()
        .userpresence(&format!(
            "{}[etcd]\ntype = cluster\nnode = a\nnode_timeout = 30\nservers = {}\n\
             username = asterisk\npassword = geheim\n",
            conf(),
            etcd.servers()
        ))
        .start();
    ast.wait_log("Joined the cluster");
    let written = |message: &str| {
        set(&ast, "carol", &format!("away,,{message}"));
        wait_until("the change in etcd", || {
            let value = etcd.get("/userpresence/person/carol");
            value.filter(|value| value.contains(message))
        });
    };
    written("First");
    // Longer than a login lasts, and shorter than the time to the node's next request.
    thread::sleep(Duration::from_secs(4));
    written("Later");
    assert_eq!(complaints(&ast, "cluster"), Vec::<String>::new());
    etcd.kill(0);
    etcd.start_all();
    written("After a restart");
    ast.set_custom("200", "dnd,,Last");
    wait_until("an address in etcd", || {
        let keys = etcd.keys("/userpresence/");
        keys.iter().any(|key| key.contains("200")).then_some(())
    });
}

/// The users of two companies never meet below one prefix.
#[test]
fn a_prefix_with_other_users_is_refused_with_one_message() {
    let etcd = EtcdCluster::start(1);
    let servers = format!("servers = {}\n", etcd.servers());
    let other = Instance::builder()
        .userpresence(&format!(
            "[zoe]\ntype = user\nextension = 900\n[etcd]\ntype = cluster\nnode = z\n{servers}"
        ))
        .start();
    other.wait_log("Joined the cluster");
    set(&other, "zoe", "dnd,,Zoe");
    wait_until("zoe in etcd", || {
        let keys = etcd.keys("/userpresence/");
        keys.iter().any(|key| key.ends_with("/zoe")).then_some(())
    });
    let begin = Instant::now();
    each_has_one_message(&[("another cluster's prefix", servers, &["/userpresence/"])]);
    println!("{:?}", begin.elapsed());
    let keys = etcd.keys("/userpresence/");
    assert!(!keys.iter().any(|key| key.contains("carol")), "{keys:#?}");
    assert_eq!(complaints(&other, "userpresence"), Vec::<String>::new());
}
