//! Messages on a stream: a length of four bytes, big endian, and the message in postcard. Knows no protocol's words.

use std::io;

use proto::wire::MAX_FRAME;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The next message; `None` where the other end stopped between two.
///
/// # Errors
/// The stream broke, or what came is no such message.
pub async fn read<T: DeserializeOwned>(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    if stream.read(&mut length[..1]).await? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut length[1..]).await?;
    let length = u32::from_be_bytes(length) as usize;
    if length > MAX_FRAME {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the message is too long"));
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await?;
    match postcard::take_from_bytes(&message) {
        Ok((message, [])) => Ok(Some(message)),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "the message is not understood")),
    }
}

/// Writes a message, and sees that it leaves.
///
/// # Errors
/// The stream broke, or the message is too long.
pub async fn write<T: Serialize>(stream: &mut (impl AsyncWrite + Unpin), message: &T) -> io::Result<()> {
    let framed = postcard::to_extend(message, vec![0; 4]).map_err(io::Error::other)?;
    stream.write_all(&with_length(framed)?).await?;
    stream.flush().await
}

/// Fills in the length.
fn with_length(mut framed: Vec<u8>) -> io::Result<Vec<u8>> {
    let length = framed.len() - 4;
    if length > MAX_FRAME {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the message is too long"));
    }
    let length = u32::try_from(length).map_err(io::Error::other)?;
    framed[..4].copy_from_slice(&length.to_be_bytes());
    Ok(framed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_come_as_they_went_and_the_end_is_no_error() {
        let (mut here, mut there) = tokio::io::duplex(1 << 10);
        let messages = [(7_u32, "one".to_owned()), (8, String::new()), (9, "x".repeat(5000))];
        let writing = async {
            for message in &messages {
                write(&mut here, message).await.unwrap();
            }
            drop(here);
        };
        let reading = async {
            let mut read_back = Vec::new();
            while let Some(message) = read::<(u32, String)>(&mut there).await.unwrap() {
                read_back.push(message);
            }
            read_back
        };
        let ((), read_back) = tokio::join!(writing, reading);
        assert_eq!(read_back, messages);
    }

    #[tokio::test]
    async fn what_is_no_message_is_an_error() {
        let good = with_length(postcard::to_extend(&5_u32, vec![0; 4]).unwrap()).unwrap();
        for (bytes, kind) in [
            (&[0xff, 0xff, 0xff, 0xff, 0][..], io::ErrorKind::InvalidData),
            (&[0, 0, 0, 2, 5, 5], io::ErrorKind::InvalidData),
            (&[0, 0, 0, 1, 0xff], io::ErrorKind::InvalidData),
            (&[0, 0], io::ErrorKind::UnexpectedEof),
            (&[0, 0, 0, 9, 1], io::ErrorKind::UnexpectedEof),
        ] {
            assert_eq!(read::<u32>(&mut &*bytes).await.unwrap_err().kind(), kind, "{bytes:?}");
        }
        assert_eq!(read::<u32>(&mut &*good).await.unwrap(), Some(5));
        let long = "x".repeat(MAX_FRAME + 1);
        assert_eq!(write(&mut Vec::new(), &long).await.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
