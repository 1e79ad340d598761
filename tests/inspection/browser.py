"""Debian's Chromium without a screen, as the tests use it; `conftest` starts it."""

from pathlib import Path
from typing import Any


class Browser:
    """What the tests ask of the browser."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def open(self, page: Path, *, width: int = 1280, dark: bool = False) -> None:
        """Load a page afresh at a width."""
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self._driver.get("about:blank")
        self._driver.get(page.as_uri())

    def ask(self, expression: str, *arguments: object) -> Any:
        """The value of a JavaScript expression."""
        return self._driver.execute_script(f"return {expression.strip()}", *arguments)

    def wait_for(self, expression: str) -> Any:
        """The value of an expression as soon as it is true."""
        from selenium.webdriver.support.wait import WebDriverWait

        return WebDriverWait(self._driver, 60).until(lambda _: self.ask(expression))

    def press(self, keys: str) -> None:
        from selenium.webdriver import ActionChains

        ActionChains(self._driver).send_keys(keys).perform()

    def click(self, selector: str) -> None:
        self._driver.find_element("css selector", selector).click()

    def text(self, selector: str) -> str:
        """All text inside the first element that fits, as the page holds it."""
        return str(self.ask("document.querySelector(arguments[0]).textContent", selector))

    def complaints(self) -> list[str]:
        """What the browser has written to its console since it was asked last."""
        return [entry["message"] for entry in self._driver.get_log("browser")]

    def print_pdf(self) -> bytes:
        return bytes(self._driver.print_page(), "ascii")
