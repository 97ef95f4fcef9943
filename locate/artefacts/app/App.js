import React, { useEffect, useState } from 'react';
import { Text, View } from 'react-native';
import NetInfo from '@react-native-community/netinfo';

// API is where the app asks for news: the one host that its users were told of.
const API = 'https://api.canada.ca/en/detail';

export default function App() {
  const [online, setOnline] = useState(false);
  const [news, setNews] = useState('');

  useEffect(() => NetInfo.addEventListener(state => setOnline(state.isInternetReachable === true)), []);
  useEffect(() => {
    fetch(`${API}?id=notification`)
      .then(answer => answer.text())
      .then(setNews, () => setNews('no news'));
  }, []);

  return (
    <View>
      <Text>{online ? 'online' : 'offline'}</Text>
      <Text>{news}</Text>
    </View>
  );
}
