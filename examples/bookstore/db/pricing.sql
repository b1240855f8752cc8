-- Pricing's own database: what there is to buy and what it costs, in euro cents with VAT included.
-- The books are edge data on purpose: whatever a title, a date or a price may be stands here once.

create table books (
    id int primary key,
    title text not null,
    author text,
    description text,
    price int not null check (price >= 0),
    published date
);

create table discounts (
    code text primary key,
    percent int not null check (percent between 0 and 100),
    min_total int not null default 0,
    valid_from timestamptz not null,
    valid_until timestamptz not null
);

-- What one euro is in another currency, in millionths.
create table rates (currency text primary key, per_million int not null);

-- VAT on books, in thousandths.
create table vat (country text primary key, permille int not null);

insert into books (id, title, author, description, price, published) values
    (1, 'A Field Guide to Seams', 'Ada Byron', 'How things hold together.', 2450, '2019-03-01'),
    (2, 'Käse für Müller', 'Jürgen Groß', 'Süß, sauer und über­reif.', 1999, '2015-10-31'),
    (3, 'The Last Copy', 'N. One', 'There is one of it.', 3990, '2001-01-01'),
    (4, 'Out of Print', 'N. Body', 'None left, and still listed.', 1500, '1998-06-15'),
    (5, 'The Idempotent Heart', 'Ann Example', 'Whatever you do twice happens once.', 1250, '2020-02-29'),
    (6, '日本語の本', '山田 太郎', '吾輩は猫である。', 1800, '1905-01-01'),
    (7, 'كتاب الحساب', 'الخوارزمي', 'From right to left.', 2200, '0820-01-01'),
    (8, 'Emoji 📚 for People 👩‍🚒', 'Zoë O’Neil', 'One sign may be many code points.', 975, '2021-12-31'),
    (9, 'Robert''); drop table books;--', 'B. Tables', 'Nothing should happen.', 1100, '2007-10-10'),
    (10, '<script>alert("hi")</script> & Co.', 'A. Markup', 'Shown as it is written.', 1350, '2010-05-05'),
    (11, '  Spaces at both ends  ', 'T. Rim', 'Kept as they are.', 600, '2011-11-11'),
    (12, 'A Very Long Title, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, and Then Some More of It, Which Ends Here', 'Verbose Writer', 'More than a thousand characters without a line break.', 2100, '2014-04-04'),
    (13, 'No Description', 'Anonymous', null, 1600, '1990-01-01'),
    (14, 'No Author', null, 'Found without a cover.', 1700, '1970-01-01'),
    (15, 'No Date', 'Undated', 'Nobody knows when.', 1450, null),
    (16, 'Nothing Known', null, null, 800, null),
    (17, 'Before the Epoch', 'Old Hand', 'Older than any counter of seconds.', 5000, '1582-10-15'),
    (18, 'The Day After 2038', 'Unix Time', 'Seconds that do not fit 32 bits.', 2900, '2038-01-20'),
    (19, 'The Last Day', 'Far Ahead', 'As late as four digits go.', 3100, '9999-12-31'),
    (20, 'One Cent', 'Penny', 'The smallest price there is.', 1, '2022-02-22'),
    (21, 'Free Sample', 'Gratis', 'Costs nothing, and is still an order.', 0, '2023-01-01'),
    (22, 'The Gold Edition', 'Croesus', 'The largest price we take.', 9999999, '2024-02-29'),
    (23, 'Two of a Kind', 'Gemini', 'Sold in pairs.', 1025, '2018-08-08'),
    (24, 'é or é', 'Combining', 'The same to the eye, not to a computer.', 1150, '2017-07-07'),
    (25, E'Tabs\tand\nlines', 'Escaped', 'A title that does not fit one line.', 1300, '2016-06-06');

insert into discounts (code, percent, min_total, valid_from, valid_until) values
    ('WELCOME10', 10, 0, '1970-01-01T00:00:00Z', '9999-12-31T23:59:59Z'),
    ('HALF', 50, 0, '2000-01-01T00:00:00Z', '9999-12-31T23:59:59Z'),
    ('ALLFREE', 100, 0, '2000-01-01T00:00:00Z', '9999-12-31T23:59:59Z'),
    ('NOTHING', 0, 0, '2000-01-01T00:00:00Z', '9999-12-31T23:59:59Z'),
    ('BIGORDER', 15, 10000, '2000-01-01T00:00:00Z', '9999-12-31T23:59:59Z'),
    ('MÜLLER5', 5, 0, '2000-01-01T00:00:00Z', '9999-12-31T23:59:59Z'),
    ('MILLENNIUM', 20, 0, '1999-12-31T00:00:00Z', '2000-01-01T00:00:00Z'),
    ('LEAPDAY', 29, 0, '2024-02-29T00:00:00Z', '2024-03-01T00:00:00Z'),
    ('FUTURE', 30, 0, '9999-01-01T00:00:00Z', '9999-12-31T23:59:59Z');

insert into rates (currency, per_million) values ('EUR', 1000000), ('CHF', 950000), ('USD', 1080000), ('GBP', 845500);

insert into vat (country, permille) values ('DE', 70), ('AT', 100), ('CH', 26), ('FR', 55), ('GB', 0);
