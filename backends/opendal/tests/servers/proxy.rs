//! A TCP proxy in front of a server that can be cut: all connections end, and no new one is opened.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use tokio::sync::Notify;

/// Relays connections to a port of its own.
pub struct Proxy {
    port: u16,
    state: Arc<Mutex<State>>,
    rejected: Arc<Notify>,
}

#[derive(Default)]
struct State {
    is_cut: bool,
    open: Vec<TcpStream>,
}

impl Proxy {
    /// To this port of the machine. Its threads end with the test.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let rejected = Arc::new(Notify::new());
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            state: Arc::clone(&state),
            rejected: Arc::clone(&rejected),
        };
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let mut state = state.lock().unwrap();
                if state.is_cut {
                    rejected.notify_one();
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    relay(from.try_clone().unwrap(), to.try_clone().unwrap());
                }
                state.open.extend([client, server]);
            }
        });
        proxy
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Notified when a client tries to connect while the proxy is cut.
    pub fn rejected(&self) -> Arc<Notify> {
        Arc::clone(&self.rejected)
    }

    pub fn cut(&self) {
        let mut state = self.state.lock().unwrap();
        state.is_cut = true;
        for stream in state.open.drain(..) {
            let _gone = stream.shutdown(Shutdown::Both);
        }
    }

    pub fn restore(&self) {
        self.state.lock().unwrap().is_cut = false;
    }
}

fn relay(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let _ended = io::copy(&mut from, &mut to);
        let _gone = to.shutdown(Shutdown::Write);
    });
}
