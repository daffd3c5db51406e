//! Programs that send and receive, for the benches: the same ones inside instances and inside bare namespaces.
//!
//! A receiver ends when it is told to, and says then how many it has had and what CPU time it has used.

use super::process;
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Connect, one byte each way, close; four at a time.
    Connections,
    /// One byte each way, again and again.
    RoundTrips,
    /// UDP packets of 18 bytes, as fast as they go.
    Packets,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::RoundTrips => "round-trips",
            Self::Packets => "packets",
        }
    }
}

/// A program of the bench.
#[derive(Clone, Copy, Debug, Args)]
pub struct Traffic {
    kind: Kind,
    /// Where to receive.
    address: SocketAddr,
    /// Send for so many seconds instead of receiving.
    #[arg(long)]
    send: Option<f64>,
}

/// Asks the receiver to end.
const END: u8 = b'q';
const THREADS: usize = 4;
const PACKET: [u8; 18] = [0; 18];

/// Receives or sends, and prints what came of it.
pub fn run(traffic: &Traffic) -> Result<()> {
    let Traffic {
        kind,
        address,
        send,
    } = *traffic;
    let own = match (send, kind) {
        (None, Kind::Packets) => return receive_packets(address),
        (None, _) => return answer(address),
        (Some(seconds), Kind::Connections) => connect_often(address, seconds),
        (Some(seconds), Kind::RoundTrips) => round_trips(address, seconds),
        (Some(seconds), Kind::Packets) => send_packets(address, seconds),
    }?;
    println!("{own}");
    Ok(())
}

fn own_cpu() -> Result<f64> {
    process::cpu_seconds(std::process::id())
}

/// Answers each byte with one, until it is told to end.
fn answer(address: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(address)?;
    println!("ready");
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for stream in listener.incoming().flatten() {
                    answer_one(stream);
                }
            });
        }
    });
    Ok(())
}

fn answer_one(mut stream: TcpStream) {
    let mut byte = [0];
    // Whoever hangs up has said enough.
    let _ = stream.set_nodelay(true);
    while stream.read_exact(&mut byte).is_ok() {
        if byte == [END] {
            let told = own_cpu().map_or(0.0, |cpu| cpu);
            let _ = write!(stream, "{told}");
            let _ = stream.shutdown(std::net::Shutdown::Both);
            std::process::exit(0);
        }
        if stream.write_all(&byte).is_err() {
            return;
        }
    }
}

/// What the receiver of a TCP bench has used.
fn end_answering(address: SocketAddr) -> Result<f64> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(&[END])?;
    let mut told = String::new();
    stream.read_to_string(&mut told)?;
    told.parse().context("the receiver's CPU time")
}

fn connect_often(address: SocketAddr, seconds: f64) -> Result<Value> {
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let count = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while Instant::now() < end {
                    if connect_once(address).is_ok() {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let cpu = own_cpu()? + end_answering(address)?;
    Ok(json!({ "count": count.into_inner(), "cpu": cpu, "seconds": seconds }))
}

fn connect_once(address: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(&[1])?;
    stream.read_exact(&mut [0])
}

fn round_trips(address: SocketAddr, seconds: f64) -> Result<Value> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let mut times = Vec::new();
    loop {
        let before = Instant::now();
        if before >= end {
            break;
        }
        stream.write_all(&[1])?;
        stream.read_exact(&mut [0])?;
        times.push(before.elapsed().as_secs_f64() * 1e6);
    }
    drop(stream);
    let count = times.len();
    let p50 = super::median(times);
    let cpu = own_cpu()? + end_answering(address)?;
    Ok(json!({ "count": count, "cpu": cpu, "seconds": seconds, "p50_us": p50 }))
}

fn receive_packets(address: SocketAddr) -> Result<()> {
    let socket = UdpSocket::bind(address)?;
    println!("ready");
    let (mut count, mut buffer) = (0_u64, [0; 64]);
    loop {
        let (length, from) = socket.recv_from(&mut buffer)?;
        if length == 1 {
            socket.send_to(format!("{count} {}", own_cpu()?).as_bytes(), from)?;
            return Ok(());
        }
        count += 1;
    }
}

fn send_packets(address: SocketAddr, seconds: f64) -> Result<Value> {
    let socket = UdpSocket::bind(match address {
        SocketAddr::V4(_) => "0.0.0.0:0",
        SocketAddr::V6(_) => "[::]:0",
    })?;
    socket.connect(address)?;
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    while Instant::now() < end {
        for _ in 0..64 {
            // A full queue is what it is about.
            let _ = socket.send(&PACKET);
        }
    }
    let cpu = own_cpu()?;
    socket.set_read_timeout(Some(Duration::from_millis(200)))?;
    for _ in 0..20 {
        socket.send(&[END])?;
        let mut told = [0; 64];
        let Ok(length) = socket.recv(&mut told) else {
            continue;
        };
        let told = std::str::from_utf8(&told[..length])?;
        let (count, receiver) = told.split_once(' ').context("the receiver's count")?;
        let (count, receiver): (u64, f64) = (count.parse()?, receiver.parse()?);
        return Ok(json!({ "count": count, "cpu": cpu + receiver, "seconds": seconds }));
    }
    anyhow::bail!("the receiver does not say what it has had")
}
