//! The least that a function can be: it answers each event with the message that is in it, or with the id of its
//! connection, and knows no more of JSON and HTTP than that takes.

use std::env;
use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;

fn main() -> Result<()> {
    let api = env::var("AWS_LAMBDA_RUNTIME_API").map_err(Error::other)?;
    let mut wire = BufReader::new(TcpStream::connect(&api)?);
    wire.get_ref().set_nodelay(true)?;
    loop {
        let (id, event) = ask(
            &mut wire,
            &format!("GET {NEXT}next HTTP/1.1\r\nHost: {api}\r\n\r\n"),
        )?;
        let answer = format!("{{\"statusCode\":200,\"body\":{}}}", answer(&event));
        let head = format!(
            "POST {NEXT}{id}/response HTTP/1.1\r\nHost: {api}\r\nContent-Length: {}",
            answer.len()
        );
        ask(&mut wire, &format!("{head}\r\n\r\n{answer}"))?;
    }
}

const NEXT: &str = "/2018-06-01/runtime/invocation/";

/// A JSON string, taken from the event as it stands there.
fn answer(event: &str) -> &str {
    let wanted = match literal(event, "\"routeKey\":") {
        Some("\"who\"") => "\"connectionId\":",
        _ => "\"body\":",
    };
    literal(event, wanted).unwrap_or("\"\"")
}

/// The string that follows `key`. Inside of another string the key's own quotes would be escaped.
fn literal<'a>(event: &'a str, key: &str) -> Option<&'a str> {
    let rest = event[event.find(key)? + key.len()..].trim_start();
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            b'"' if at > 0 && !escaped => return Some(&rest[..=at]),
            b'"' if at == 0 => {}
            _ if at == 0 => return None,
            _ => escaped = byte == b'\\' && !escaped,
        }
    }
    None
}

/// Sends one request; the request id and the body of what is answered.
fn ask(wire: &mut BufReader<TcpStream>, request: &str) -> Result<(String, String)> {
    wire.get_mut().write_all(request.as_bytes())?;
    let (mut id, mut length, mut chunked) = (String::new(), 0, false);
    loop {
        let mut line = String::new();
        if wire.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = line.trim_end().split_once(':') else {
            if line.trim_end().is_empty() {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "lambda-runtime-aws-request-id" => value.trim().clone_into(&mut id),
            "content-length" => length = value.trim().parse().map_err(Error::other)?,
            "transfer-encoding" => chunked = value.trim().eq_ignore_ascii_case("chunked"),
            _ => {}
        }
    }
    let body = if chunked {
        chunks(wire)?
    } else {
        exactly(wire, length)?
    };
    Ok((id, String::from_utf8(body).map_err(Error::other)?))
}

fn exactly(wire: &mut impl Read, length: usize) -> Result<Vec<u8>> {
    let mut body = vec![0; length];
    wire.read_exact(&mut body)?;
    Ok(body)
}

fn chunks(wire: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut size = String::new();
        wire.read_line(&mut size)?;
        let size = usize::from_str_radix(size.trim(), 16).map_err(Error::other)?;
        body.extend(exactly(wire, size)?);
        exactly(wire, 2)?;
        if size == 0 {
            return Ok(body);
        }
    }
}
