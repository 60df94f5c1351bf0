//! A name server that knows what the test says.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;

/// A running name server. Other names than its own do not exist.
pub(crate) struct Names {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Names {
    pub(crate) async fn start(names: &[(&str, [u8; 4])]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let names: HashMap<String, Ipv4Addr> = names
            .iter()
            .map(|(name, octets)| ((*name).to_owned(), Ipv4Addr::from(*octets)))
            .collect();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let remembered = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut query = [0; 512];
            loop {
                let (_, client) = socket.recv_from(&mut query).await.unwrap();
                let (name, end) = question(&query);
                let reply = reply(&query[..end], names.get(&name).copied());
                remembered.lock().unwrap().push(name);
                socket.send_to(&reply, client).await.unwrap();
            }
        });
        Self { address, asked }
    }

    /// Every name that was asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// The name in the first question, and where the question ends.
fn question(query: &[u8]) -> (String, usize) {
    let (mut labels, mut position) = (Vec::new(), 12);
    while query[position] != 0 {
        let end = position + 1 + usize::from(query[position]);
        labels.push(String::from_utf8_lossy(&query[position + 1..end]).to_lowercase());
        position = end;
    }
    (labels.join("."), position + 5)
}

fn reply(question: &[u8], address: Option<Ipv4Addr>) -> Vec<u8> {
    let is_a = question[question.len() - 4..] == [0, 1, 0, 1];
    let code = if address.is_some() { 0x80 } else { 0x83 };
    let mut reply = question.to_vec();
    reply[2..12].copy_from_slice(&[0x81, code, 0, 1, 0, 0, 0, 0, 0, 0]);
    if let (Some(address), true) = (address, is_a) {
        reply[7] = 1;
        reply.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        reply.extend_from_slice(&address.octets());
    }
    reply
}
