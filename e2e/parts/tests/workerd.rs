//! workerd with a Worker of its own.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
};
use tropos_parts::{WorkerdOptions, free_addresses, has_workerd};

#[tokio::test]
async fn a_worker_answers_with_its_variables_until_it_is_dropped() {
    if !has_workerd() {
        eprintln!("workerd is not installed: `cargo xtask test` installs it");
        return;
    }
    let worker = tempfile::tempdir().unwrap();
    let script = "export default { async fetch(request, env) { return new Response(`${env.WORD} ${await env.STORE.get('a b')} ${await env.STORE.get('c')}`) } }";
    for (name, content) in [
        ("index.js", script.as_bytes()),
        ("hooks.js", b""),
        ("hooks_bg.wasm", b"\0asm\x01\0\0\0"),
        ("routes.json", b"{}"),
    ] {
        fs::write(worker.path().join(name), content).unwrap();
    }
    let [nobody] = free_addresses().unwrap();
    let options = WorkerdOptions::new().var("WORD", "a \"quoted\" word").tags();
    let options = options.store("STORE", r#"{"a b": "kept \"so\""}"#);
    let workerd = options.start(worker.path(), nobody).await.unwrap();
    let address = workerd.address();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("a \"quoted\" word kept \"so\" null"), "{answer}");
    drop(workerd);
    assert!(TcpStream::connect(address).is_err());
}
