//! The way to a server: one that can be closed and opened, and a proxy that records what passes it.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;

/// Relays connections to a port of this machine. Its threads end with the test.
pub struct Gateway {
    pub address: SocketAddr,
    to_port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    is_closed: bool,
    /// The first lines of the connections that passed.
    first_lines: Vec<String>,
    open: Vec<TcpStream>,
}

impl Gateway {
    /// Closed at first: connections are refused.
    pub fn to(to_port: u16) -> Self {
        // An address of its own: no other process is given a port of it in the meantime.
        static TESTS: AtomicU16 = AtomicU16::new(0);
        let (process, test) = (std::process::id().to_be_bytes(), TESTS.fetch_add(1, SeqCst).to_be_bytes());
        let own = Ipv4Addr::new(127, 64 | process[2], process[3], 2 + test[1]);
        let address = TcpListener::bind((own, 0)).unwrap().local_addr().unwrap();
        Self { address, to_port, state: Arc::default() }
    }

    pub fn opened(self) -> Self {
        self.open();
        self
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn open(&self) {
        self.state.lock().unwrap().is_closed = false;
        let listener = TcpListener::bind(self.address).unwrap();
        let (state, to_port) = (Arc::clone(&self.state), self.to_port);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if state.lock().unwrap().is_closed {
                    return;
                }
                let state = Arc::clone(&state);
                // A client that is gone is no error.
                thread::spawn(move || drop(pass(client, to_port, &state)));
            }
        });
    }

    /// Ends all connections, and refuses others from now on.
    pub fn close(&self) {
        let open = {
            let mut state = self.state.lock().unwrap();
            state.is_closed = true;
            std::mem::take(&mut state.open)
        };
        // Wakes the listener, which then goes away.
        while TcpStream::connect(self.address).is_ok() {}
        for stream in open {
            let _gone = stream.shutdown(Shutdown::Both);
        }
    }

    /// The first lines of the connections that passed.
    pub fn passed(&self) -> Vec<String> {
        self.state.lock().unwrap().first_lines.clone()
    }
}

/// Serves one connection: as a proxy, if it asks for that.
fn pass(client: TcpStream, to_port: u16, state: &Mutex<State>) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        // Clients open connections in advance, and close some of them unused.
        return Ok(());
    }
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, to_port))?;
    {
        let mut state = state.lock().unwrap();
        if state.is_closed {
            return client.shutdown(Shutdown::Both);
        }
        state.first_lines.push(line.trim_end().to_owned());
        state.open.extend([client.try_clone()?, server.try_clone()?]);
    }
    if line.starts_with("CONNECT ") {
        let mut header = String::new();
        while reader.read_line(&mut header)? > 2 {
            header.clear();
        }
        (&client).write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
    } else {
        server.write_all(line.as_bytes())?;
    }
    let (mut to_server, mut to_client) = (server.try_clone()?, client);
    thread::spawn(move || {
        let _ended = io::copy(&mut reader, &mut to_server);
        to_server.shutdown(Shutdown::Write)
    });
    let _ended = io::copy(&mut server, &mut to_client);
    to_client.shutdown(Shutdown::Both)
}
