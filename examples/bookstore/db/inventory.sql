-- Inventory's own database: stock is what may still be reserved, initial is what there was.

create table books (
    id int primary key,
    stock int not null,
    initial int not null
);

create table reservations (
    id text primary key,
    order_id bigint,
    state text not null check (state in ('held', 'committed', 'released', 'expired')),
    expires timestamptz not null,
    created timestamptz not null default now()
);

create table reservation_lines (
    reservation text not null references reservations,
    book int not null references books,
    quantity int not null check (quantity > 0),
    primary key (reservation, book)
);

create index reservation_lines_book on reservation_lines (book);

insert into books (id, stock, initial) values
    (1, 20, 20),
    (2, 20, 20),
    (3, 1, 1),
    (4, 0, 0),
    (5, 50, 50),
    (6, 20, 20),
    (7, 20, 20),
    (8, 20, 20),
    (9, 20, 20),
    (10, 20, 20),
    (11, 20, 20),
    (12, 20, 20),
    (13, 20, 20),
    (14, 20, 20),
    (15, 20, 20),
    (16, 20, 20),
    (17, 20, 20),
    (18, 20, 20),
    (19, 20, 20),
    (20, 500, 500),
    (21, 500, 500),
    (22, 20, 20),
    (23, 2, 2),
    (24, 20, 20),
    (25, 20, 20);
