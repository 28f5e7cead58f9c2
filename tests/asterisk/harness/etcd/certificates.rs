//! Certificates of an authority of the test's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// PEM files of certificates and keys.
pub struct Certificates {
    /// The authority that the members and their clients belong to.
    pub ca: PathBuf,
    /// Another authority, which vouches for nobody here.
    pub other_ca: PathBuf,
    /// A client's certificate and key. It has no common name: an etcd with users refuses JSON
    /// from others.
    pub client: (PathBuf, PathBuf),
    /// The same with a common name.
    pub named_client: (PathBuf, PathBuf),
    /// The members' certificate and key.
    pub(super) server: (PathBuf, PathBuf),
}

impl Certificates {
    #[track_caller]
    pub(super) fn make(dir: &Path) -> Self {
        let (ca, ca_key) = authority(dir, "ca");
        let signed = |name: &str, subject: &str, extensions: &str| {
            let path = |ending: &str| dir.join(format!("{name}.{ending}"));
            let (request, certificate, key) = (path("csr"), path("pem"), path("key"));
            openssl(
                Command::new("openssl")
                    .args([
                        "req",
                        "-newkey",
                        "ec",
                        "-pkeyopt",
                        "ec_paramgen_curve:P-256",
                    ])
                    .args(["-nodes", "-subj", subject])
                    .arg("-keyout")
                    .arg(&key)
                    .arg("-out")
                    .arg(&request),
            );
            let file = path("ext");
            fs::write(&file, extensions).expect("our own directory");
            openssl(
                Command::new("openssl")
                    .args(["x509", "-req", "-days", "2", "-CAcreateserial", "-in"])
                    .arg(&request)
                    .arg("-CA")
                    .arg(&ca)
                    .arg("-CAkey")
                    .arg(&ca_key)
                    .arg("-extfile")
                    .arg(&file)
                    .arg("-out")
                    .arg(&certificate),
            );
            (certificate, key)
        };
        // A member's JSON gateway is a client of the member itself, with the same certificate.
        let server = signed(
            "server",
            "/CN=server",
            "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n",
        );
        let usage = "extendedKeyUsage=clientAuth\n";
        let client = signed("client", "/O=client", usage);
        let named_client = signed("named", "/CN=client", usage);
        let (other_ca, _) = authority(dir, "other");
        Certificates {
            ca,
            other_ca,
            client,
            named_client,
            server,
        }
    }
}

fn authority(dir: &Path, name: &str) -> (PathBuf, PathBuf) {
    let certificate = dir.join(format!("{name}.pem"));
    let key = dir.join(format!("{name}.key"));
    openssl(
        Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt"])
            .args(["ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
            .args(["-subj", &format!("/CN={name}")])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate),
    );
    (certificate, key)
}

#[track_caller]
fn openssl(command: &mut Command) {
    let made = command.output().expect("the program openssl");
    assert!(made.status.success(), "{made:?}");
}
