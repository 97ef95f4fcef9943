import NetInfo from '@react-native-community/netinfo';

// The library asks a host of the people who run the app.
NetInfo.configure({ reachabilityUrl: 'https://health.canada.ca/up' });
