"""The report page: one HTML file that shows models on configurations."""
