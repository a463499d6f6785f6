-- purpose: redactions: all, still to be censored, and those that wait over seven days
-- locks: ACCESS SHARE on redactions
-- safe while Synapse runs: yes; reads the whole table, so at a quiet hour
-- schema: 84-94
SELECT w.name, CASE w.place WHEN 1 THEN r.total WHEN 2 THEN r.waiting ELSE r.overdue END AS redactions
FROM (SELECT count(*) AS total, count(*) FILTER (WHERE NOT have_censored) AS waiting,
             count(*) FILTER (WHERE NOT have_censored AND received_ts < (extract(epoch FROM now()) * 1000)::bigint - 604800000) AS overdue
      FROM redactions) AS r,
     (VALUES (1, 'all'), (2, 'not looked at yet'), (3, 'waiting over seven days')) AS w (place, name)
ORDER BY w.place;
