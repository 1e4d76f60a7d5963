"""OneDrive and SharePoint, by Microsoft Graph."""
