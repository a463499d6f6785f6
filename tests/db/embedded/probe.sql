-- purpose: every place where a colon and a quote meet without being a parameter
-- locks: none
-- safe while Synapse runs: yes
-- schema: 84-94
-- More words about it: :'none' is a parameter here.
SELECT :'first'::text AS a, :'second'::bigint + 1 AS b, 'it''s :''first''' AS c, $x$ :'first' ; $x$ AS d,
  E'\':' AS e /* :'first' /* nested ; */ */, :'first' || '!' AS f, -- :'third' ;
  1 AS "odd:'name'";
