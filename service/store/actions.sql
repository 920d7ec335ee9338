-- record --
INSERT INTO operator_actions (id, actor, action, target, detail) VALUES ($1, $2, $3, $4, $5)
