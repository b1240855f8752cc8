//! Captured traffic in, Interactions out: whole, cut at every byte, in random pieces, and spoilt.

mod anew;
mod bytewise;
mod capture;
mod captures;
mod divide;
mod documented;
mod forwarded;
mod fuzz;
mod http2;
mod http2_live;
mod http2_room;
mod http2_talk;
mod law;
mod law_events;
mod midway;
mod pushes;
mod soup;
mod split_amqp;
mod split_mqtt;
mod split_mysql;
mod split_nats;
mod split_postgres;
mod split_redis;
mod split_smtp;
mod splits;
mod streams;
