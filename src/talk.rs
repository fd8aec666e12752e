//! WebSocket clients: a scripted conversation and a person at a terminal.
