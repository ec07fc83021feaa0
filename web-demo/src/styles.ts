// Mantine's own first, then what differs.
import "@mantine/core/styles.css";
import "@mantine/notifications/styles.css";
import "./theme.css";
