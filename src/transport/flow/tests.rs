use std::future::poll_fn;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;

use super::*;
use crate::limits::UnfinishedMessages;

const PATIENCE: Duration = Duration::from_secs(10);
const MEBIBYTE: usize = 1024 * 1024;
/// A ping that says nothing, under a mask that changes nothing.
const PING: [u8; 6] = [0x89, 0x80, 0, 0, 0, 0];

fn flow(all: &UnfinishedMessages) -> (Flow<DuplexStream, ()>, DuplexStream) {
    let (near, far) = duplex(4 * MEBIBYTE);
    (Flow::new(near, (), all.message(), PATIENCE), far)
}

/// The beginning of a text of so many bytes.
fn begun(length: usize) -> Vec<u8> {
    let mut bytes = vec![0x81, 0x80 | 0x7f];
    bytes.extend((length as u64).to_be_bytes());
    bytes.extend([0; 4]);
    bytes
}

/// The bytes that can be read now.
async fn readable(flow: &mut Flow<DuplexStream, ()>) -> usize {
    let (mut read, mut buffer) = (0, [0; 512]);
    while let Ok(more) = timeout(Duration::from_millis(1), flow.read(&mut buffer)).await {
        match more.unwrap() {
            0 => break,
            more => read += more,
        }
    }
    read
}

#[tokio::test(start_paused = true)]
async fn reading_stops_while_nothing_that_is_written_is_taken() {
    let all = UnfinishedMessages::new(MEBIBYTE);
    let (mut flow, mut far) = flow(&all);
    // Messages, so that nothing else stops the reading.
    far.write_all(&[0x81, 0x80, 0, 0, 0, 0].repeat(100_000))
        .await
        .unwrap();
    let block = vec![0; 5 * MEBIBYTE];
    let mut written = 0;
    poll_fn(|cx| {
        while let Poll::Ready(more) = Pin::new(&mut flow).poll_write(cx, &block[written..]) {
            written += more.unwrap();
        }
        Poll::Ready(())
    })
    .await;
    let read = readable(&mut flow).await;
    assert!(
        (MAX_UNANSWERED..MAX_UNANSWERED + 512).contains(&read),
        "{read}"
    );
    let mut buffer = vec![0; 4 * MEBIBYTE];
    far.read_exact(&mut buffer).await.unwrap();
    flow.write_all(&block[written..]).await.unwrap();
    assert_eq!(read + readable(&mut flow).await, 600_000);
}

#[tokio::test(start_paused = true)]
async fn control_frames_beyond_the_rate_wait_for_the_next_second() {
    let all = UnfinishedMessages::new(MEBIBYTE);
    let (mut flow, mut far) = flow(&all);
    far.write_all(&PING.repeat(1000)).await.unwrap();
    let begun = Instant::now();
    let mut buffer = vec![0; PING.len() * 10];
    for _ in 0..100 {
        flow.read_exact(&mut buffer).await.unwrap();
    }
    let took = begun.elapsed();
    assert!((SECOND * 8..=SECOND * 10).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_large_message_has_a_time_to_end() {
    let all = UnfinishedMessages::new(MEBIBYTE);
    let (mut flow, mut far) = flow(&all);
    far.write_all(&begun(MEBIBYTE)).await.unwrap();
    far.write_all(&vec![b'x'; MEBIBYTE - 1]).await.unwrap();
    assert_eq!(readable(&mut flow).await, MEBIBYTE - 1 + 14);
    assert!(all.bytes() > MEBIBYTE / 2);
    let error = flow.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    drop(flow);
    assert_eq!(all.bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_large_message_that_ends_has_no_limit_any_more() {
    let all = UnfinishedMessages::new(MEBIBYTE);
    let (mut flow, mut far) = flow(&all);
    far.write_all(&begun(MEBIBYTE)).await.unwrap();
    far.write_all(&vec![b'x'; MEBIBYTE]).await.unwrap();
    assert_eq!(readable(&mut flow).await, MEBIBYTE + 14);
    assert_eq!(all.bytes(), 0);
    assert!(timeout(2 * PATIENCE, flow.read_u8()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn the_oldest_of_too_many_large_messages_is_given_up() {
    let all = UnfinishedMessages::new(MEBIBYTE);
    let mut flows = Vec::new();
    for _ in 0..70 {
        let (mut flow, mut far) = flow(&all);
        far.write_all(&begun(MEBIBYTE)).await.unwrap();
        far.write_all(&vec![b'x'; MEBIBYTE - 1]).await.unwrap();
        assert_eq!(readable(&mut flow).await, MEBIBYTE - 1 + 14);
        flows.push((flow, far));
    }
    assert!(all.bytes() <= 64 * MEBIBYTE, "{}", all.bytes());
    let error = flows[0].0.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::QuotaExceeded);
    let newest = &mut flows[69].0;
    assert!(timeout(PATIENCE / 2, newest.read_u8()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_large_message_that_follows_another_at_once_has_its_own_time() {
    let all = UnfinishedMessages::new(MEBIBYTE);
    let (mut flow, mut far) = flow(&all);
    let half = vec![b'x'; MEBIBYTE / 2];
    far.write_all(&begun(MEBIBYTE)).await.unwrap();
    far.write_all(&half).await.unwrap();
    readable(&mut flow).await;
    tokio::time::sleep(PATIENCE * 2 / 3).await;
    // The first ends and the second is large already in the same read.
    far.write_all(&half).await.unwrap();
    far.write_all(&begun(MEBIBYTE)).await.unwrap();
    far.write_all(&half).await.unwrap();
    let mut buffer = vec![0; 2 * MEBIBYTE];
    assert_eq!(flow.read(&mut buffer).await.unwrap(), MEBIBYTE + 14);
    tokio::time::sleep(PATIENCE * 2 / 3).await;
    far.write_all(&half).await.unwrap();
    assert_eq!(flow.read(&mut buffer).await.unwrap(), MEBIBYTE / 2);
    assert_eq!(all.bytes(), 0);
}
