from django.apps import AppConfig


class SessionsConfig(AppConfig):
    name = "sessions_app"
    label = "sessions_app"
    verbose_name = "Charging sessions"

    def ready(self) -> None:
        from chargers.desk import take_desk
        from sessions_app.transactions import SessionDesk

        take_desk(SessionDesk())
