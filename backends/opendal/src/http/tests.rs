use super::*;
use http_body::Body as _;
use std::future::{pending, poll_fn};
use tokio::time::sleep;
use towpath_backend::Pacing;

/// The pieces of `content` and when they leave.
async fn leave(content: Buffer, spacing: &Arc<Spacing>) -> Vec<(Duration, Bytes)> {
    let (started, mut pieces) = (Instant::now(), Vec::new());
    let mut body = Paced::new(content, Arc::clone(spacing), Arc::default());
    while !body.is_end_stream() {
        let left = body.size_hint().exact().unwrap();
        let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await.unwrap().unwrap();
        let piece = frame.into_data().unwrap();
        assert_eq!(body.size_hint().exact().unwrap(), left - piece.len() as u64);
        pieces.push((started.elapsed(), piece));
    }
    assert!(poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await.is_none());
    pieces
}

/// Gathered like a multipart part: in pieces of the size that arrived.
fn content() -> (Buffer, Vec<u8>) {
    let content: Vec<u8> = (0..1_000_000u32).map(|i| (i % 251) as u8).collect();
    let pieces: Vec<_> = content.chunks(77_777).map(Bytes::copy_from_slice).collect();
    (Buffer::from(pieces), content)
}

#[tokio::test]
async fn it_speaks_tls() {
    const HANDSHAKE: u8 = 22;
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/key", server.local_addr().unwrap());
    let first = std::thread::spawn(move || {
        let mut first = [0];
        io::Read::read_exact(&mut server.accept().unwrap().0, &mut first).unwrap();
        first[0]
    });
    let request = Request::get(url).body(Buffer::new()).unwrap();
    let error = client(Outgoing::default()).fetch(request).await.map(drop).unwrap_err();
    // Asking a client without TLS ends at once, and nobody comes.
    assert!(!format!("{error:?}").contains("scheme is not http"), "{error:?}");
    assert_eq!(first.join().unwrap(), HANDSHAKE);
}

#[test]
fn headers_that_are_no_text_are_left_out() {
    let mut headers = HeaderMap::new();
    let name = HeaderValue::from_bytes("attachment; filename=\"ü\"".as_bytes()).unwrap();
    headers.insert(http::header::CONTENT_DISPOSITION, name);
    headers.append(http::header::SET_COOKIE, HeaderValue::from_static("a"));
    headers.append(http::header::SET_COOKIE, HeaderValue::from_static("b"));
    let left: Vec<_> = readable(&headers).into_iter().map(|(_, value)| value).collect();
    assert_eq!(left, ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn under_a_limit_a_part_leaves_evenly() {
    let spacing = Arc::new(Spacing::default());
    spacing.follow(Some(&Pacing::new(1_000_000)));
    let (buffer, content) = content();
    let pieces = leave(buffer, &spacing).await;
    assert_eq!(pieces.iter().flat_map(|(_, piece)| piece.iter().copied()).collect::<Vec<_>>(), content);
    for (i, (from, _)) in pieces.iter().enumerate() {
        let within = pieces[i..].iter().take_while(|(at, _)| *at < *from + Duration::from_millis(100));
        let bytes: usize = within.map(|(_, piece)| piece.len()).sum();
        assert!(bytes <= 120_000, "{bytes} bytes in a tenth of a second");
    }
    let took = pieces.last().unwrap().0.as_secs_f64();
    assert!((0.95..1.05).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn parts_that_are_sent_at_once_share_the_limit() {
    let spacing = Arc::new(Spacing::default());
    spacing.follow(Some(&Pacing::new(1_000_000)));
    let started = Instant::now();
    tokio::join!(leave(content().0, &spacing), leave(content().0, &spacing));
    let took = started.elapsed().as_secs_f64();
    assert!((1.95..2.05).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_a_part_leaves_at_once() {
    let (buffer, content) = content();
    let pieces = leave(buffer, &Arc::default()).await;
    assert_eq!(pieces.iter().flat_map(|(_, piece)| piece.iter().copied()).collect::<Vec<_>>(), content);
    assert_eq!(pieces.last().unwrap().0, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_early_is_an_error_and_its_waiting_is_none() {
    let (pieces, more) = mpsc::channel(4);
    let (spacing, progress) = (Arc::default(), Arc::new(Progress::default()));
    let nothing_yet = Paced::new(Buffer::new(), spacing, Arc::clone(&progress));
    let mut body = Paced { unsent_bytes: 10, more: Some(more), ..nothing_yet };
    let mut next = async || poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;

    let slow = async {
        sleep(STALL_TIMEOUT * 3).await;
        pieces.send(Bytes::from_static(b"seven ..")).await.unwrap();
        drop(pieces);
    };
    let (first, ()) = tokio::join!(progress.watch(next(), STALL_TIMEOUT), slow);
    assert_eq!(first.expect("it waits").unwrap().unwrap().into_data().unwrap(), "seven ..");
    let end = next().await.expect("no end of a content").unwrap_err();
    assert_eq!(end.to_string(), "the content ended early");
}

#[tokio::test(start_paused = true)]
async fn a_stalled_request_is_given_up_and_a_slow_one_is_not() {
    let progress = Progress::default();
    assert!(progress.watch(pending::<()>(), STALL_TIMEOUT).await.is_none());

    let slow = async {
        for _ in 0..10 {
            sleep(STALL_TIMEOUT / 2).await;
            *progress.last() = Instant::now();
        }
    };
    *progress.last() = Instant::now();
    assert!(progress.watch(slow, STALL_TIMEOUT).await.is_some());
}
