//! Which process opened a connection.

use std::fs;
use std::net::SocketAddr;

/// The position of the process that holds the local end `from` of a connection.
pub(super) fn process_of(from: SocketAddr, pids: &[Option<u32>]) -> Option<usize> {
    // As the kernel writes 127.0.0.1 and a port.
    let address = format!("0100007F:{:04X}", from.port());
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let line = table
        .lines()
        .find(|line| line.split_whitespace().nth(1) == Some(&address))?;
    let inode = line.split_whitespace().nth(9)?;
    let socket = format!("socket:[{inode}]");
    pids.iter().position(|pid| {
        let files = pid.and_then(|pid| fs::read_dir(format!("/proc/{pid}/fd")).ok());
        files.into_iter().flatten().flatten().any(|file| {
            let target = fs::read_link(file.path());
            target.is_ok_and(|target| target.as_os_str() == socket.as_str())
        })
    })
}
