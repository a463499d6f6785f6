-- purpose: how many users and rooms were reported; the tables came later than that of events
-- locks: ACCESS SHARE on user_reports, room_reports
-- safe while Synapse runs: yes; small tables
-- schema: 92-94
SELECT (SELECT count(*) FROM user_reports) + (SELECT count(*) FROM room_reports) AS reports;
