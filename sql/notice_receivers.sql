-- purpose: people seen within some days, who hear of a maintenance window
-- locks: ACCESS SHARE on user_daily_visits, users
-- safe while Synapse runs: yes; by index
-- schema: 84-94
SELECT DISTINCT v.user_id AS user_id
FROM user_daily_visits AS v JOIN users AS u ON u.name = v.user_id
WHERE v.timestamp > (extract(epoch FROM now()) * 1000)::bigint - :'seconds'::bigint * 1000
  AND u.deactivated = 0 AND u.is_guest = 0 AND u.appservice_id IS NULL
ORDER BY 1;
